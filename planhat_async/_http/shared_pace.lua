-- The rule of shared_pace.py for a window in Redis: KEYS[1] holds it. It must decide exactly as `SharedPace.exchange`
-- does, so the functions below have the same names and the same order, and are explained there.
--
-- ARGV: the message; the epoch of a new window; the time in seconds, for tests (else the server's own).
-- All values are MessagePack. The reply is a `Reply`. The key holds the version of the record, the last time `at`, what
-- is added to the server's time (`offset`: its clock may go back, that of the window does not), and a `SharedPace`.

local huge = math.huge
local shared, limits, now

local function after(places, time) -- the index of the first place that arrives later
    local low, high = 1, #places + 1
    while low < high do
        local middle = math.floor((low + high) / 2)
        if places[middle][1] <= time then low = middle + 1 else high = middle end
    end
    return low
end

local function kept(list, is_kept)
    local found = {}
    for _, one in ipairs(list) do
        if is_kept(one) then found[#found + 1] = one end
    end
    return found
end

local function insert_place(place) -- ordered by arrival, then by number
    local places = shared.places
    local index = #places
    while index > 0 and (places[index][1] > place[1] or (places[index][1] == place[1] and places[index][2] > place[2])) do
        places[index + 1] = places[index]
        index = index - 1
    end
    places[index + 1] = place
end

local function add_place(arrival, member, is_bulk, granted)
    local number = shared.next_place
    shared.next_place = number + 1
    insert_place({arrival, number, member, is_bulk, granted})
    return number
end

local function note_probes()
    shared.pause.probes = {}
    for _, probe in ipairs(shared.probing) do shared.pause.probes[probe.is_bulk] = true end
end

local function forget()
    local places = shared.places
    local n_over = math.max(after(places, now - limits.window - KEPT) - 1, #places - MAX_PLACES)
    if n_over > 0 then
        local left = {}
        for index = n_over + 1, #places do left[#left + 1] = places[index] end
        shared.places = left
    end
    shared.members = kept(shared.members, function(one) return one.seen > now - GONE end)
    shared.probing = kept(shared.probing, function(one) return one['until'] > now end)
    note_probes()
end

local function live_at(at)
    local found = {}
    for index = after(shared.places, at - limits.window), #shared.places do found[#found + 1] = shared.places[index] end
    return found
end

local function joined(message)
    local number = message.epoch ~= 0 and message.member or 0
    for _, one in ipairs(shared.members) do
        if number ~= 0 and one.number == number then
            one.seen = now
            return one
        end
    end
    if number == 0 then
        number = shared.next_member
        shared.next_member = number + 1
    end
    local member = {number = number, pid = message.pid, host = message.host, since = now, seen = now}
    member.waiting, member.due = {0, 0}, {-huge, -huge}
    local members = shared.members
    members[#members + 1] = member
    if #members > MAX_MEMBERS then
        local oldest = 1
        for index = 2, #members - 1 do
            if members[index].seen < members[oldest].seen then oldest = index end
        end
        table.remove(members, oldest)
    end
    return member
end

local function drop(is_dropped)
    local dropped = {}
    shared.places = kept(shared.places, function(place)
        dropped[place[2]] = is_dropped(place)
        return not dropped[place[2]]
    end)
    shared.probing = kept(shared.probing, function(probe) return not dropped[probe.place] end)
    note_probes()
end

local function begin_pause(started, at, retry_after)
    local pause = shared.pause
    if started < pause.at then return end
    local grown = math.min(60, 2 ^ math.min(pause.refusals, 10))
    local seconds = grown
    if retry_after then seconds = math.max(retry_after, pause.refusals > 0 and grown or 0) end
    pause.refusals = pause.refusals + 1
    pause.refused_since = math.min(pause.refused_since, at)
    pause.at = at
    pause['until'] = math.max(pause['until'], at + seconds)
end

local function end_place(ended)
    local places, index = shared.places, #shared.places
    while index > 0 and places[index][2] ~= ended.place do index = index - 1 end
    if index == 0 then return end
    local place, pause, transit = places[index], shared.pause, shared.transit
    local granted, at = place[5], math.min(now, now - ended.ago)
    shared.probing = kept(shared.probing, function(probe) return probe.place ~= place[2] end)
    note_probes()
    if ended.ended_as == 'unused' then
        table.remove(places, index)
        return
    end
    if ended.ended_as == 'refused' then
        begin_pause(granted, at, ended.retry_after)
    elseif ended.ended_as == 'answered' and granted >= pause['until'] then
        pause.refusals, pause.refused_since = 0, huge
    end
    if ended.ended_as ~= 'lost' and granted <= at and at <= granted + MAX_TRANSIT then
        local seconds = at - granted
        if seconds >= transit.seconds or at >= transit['until'] then
            transit.seconds, transit['until'] = math.max(MIN_TRANSIT, seconds), at + 60
        end
        table.remove(places, index)
        place[1] = at
        insert_place(place)
    end
end

local function note_quota(quota)
    if quota.ago < 0 or quota.ago > KEPT then return end
    local at = now - quota.ago
    local n_taken = #live_at(at)
    local used = (quota.limit or limits.per_minute) - quota.remaining
    local spare = limits.per_minute - n_taken - quota.remaining
    for _ = 1, math.max(0, math.min(used - n_taken, spare)) do add_place(at, STRANGER, false, at) end
end

-- Windows and the pace: see pace.py. A window is a sorted list of the times at which its places become free.

local function not_yet_free(window) -- its length is `n_taken`: what is taken in later becomes free later than now
    return kept(window, function(free_at) return free_at > now end)
end

local function free_from(window, n_places)
    if #window < n_places then return now end
    return window[#window - n_places + 1]
end

local function shared_from(window, n_places, n_others)
    local n_left = n_places - 1 - #window
    local step = math.max(1, math.ceil(#window / SAMPLES))
    local interval, latest = limits.window / n_others, -huge
    local index = 0
    while step + index * step <= #window do
        latest = math.max(latest, window[step + index * step] - interval * (n_left + index * step))
        index = index + 1
    end
    return latest > -huge and latest or now
end

local function take_in(window, free_at)
    local index = #window
    while index > 0 and window[index] > free_at do
        window[index + 1] = window[index]
        index = index - 1
    end
    window[index + 1] = free_at
end

local function pace_of(live, message)
    local pace = {minute = {}, second = {}, claimed = {}, last_bulk = shared.last_bulk, n_in_flight = 0}
    for index, place in ipairs(live) do pace.minute[index] = place[1] + limits.window end
    for index = after(shared.places, now - 1), #shared.places do
        pace.second[#pace.second + 1] = shared.places[index][1] + 1
    end
    if message.n_bulk > 0 then
        local claimed, n_asked = pace.claimed, 0
        for _, free_at in ipairs(pace.minute) do claimed[#claimed + 1] = free_at end
        for _, place in ipairs(live) do
            if place[3] ~= STRANGER and not place[4] then claimed[#claimed + 1] = place[1] + limits.window end
        end
        for _, one in ipairs(shared.members) do n_asked = n_asked + one.waiting[1] end
        for _ = 1, math.min(limits.per_minute, n_asked) do claimed[#claimed + 1] = now + limits.window end
        table.sort(claimed)
    end
    for _, name in ipairs({'minute', 'second', 'claimed'}) do pace[name] = not_yet_free(pace[name]) end
    pace.transit = shared.transit.seconds + LAG
    return pace
end

local function earliest(pace, places, in_flight)
    if pace.n_in_flight >= in_flight then return huge end
    local minute = free_from(pace.minute, places)
    return math.max(now, minute, free_from(pace.second, limits.per_second), shared.pause['until'])
end

local function single_from(pace)
    if shared.pause.probes[false] then return huge end
    return earliest(pace, limits.per_minute, limits.max_in_flight)
end

local function bulk_from(pace, n_waiting)
    if shared.pause.probes[true] or shared.pause.probes[false] then return huge end
    local places = math.max(1, math.floor(limits.per_minute * (1 - limits.reserve)))
    local soonest = earliest(pace, places, math.max(1, math.floor(limits.max_in_flight * (1 - limits.reserve))))
    local n = #pace.minute
    local n_expected = #pace.claimed - n
    if n_expected == 0 or limits.reserve == 0 then return soonest end
    local n_reserved = limits.per_minute - places
    local has_room = free_from(pace.claimed, math.max(1, places - math.min(n_waiting - 1, n_reserved)))
    if has_room <= soonest then return soonest end
    local n_more = math.min(n_reserved, math.max(0, n - n_expected))
    local spaced = pace.last_bulk + limits.window / math.max(1, places - n_expected)
    return math.max(soonest, math.min(has_room, math.max(spaced, shared_from(pace.minute, places, n_expected + n_more))))
end

local function start_attempt(pace, is_bulk) -- returns when it counts as arrived, and whether it probes
    if is_bulk then pace.last_bulk = now end
    pace.n_in_flight = pace.n_in_flight + 1
    local arrival = now + pace.transit
    take_in(pace.minute, arrival + limits.window)
    take_in(pace.second, arrival + 1)
    take_in(pace.claimed, arrival + limits.window)
    local is_probe = shared.pause.refusals > 0
    if is_probe then shared.pause.probes[is_bulk] = true end
    return arrival, is_probe
end

-- The turn of one member.

local function class(is_bulk) return is_bulk and 2 or 1 end

local function is_due(member, is_bulk)
    local due = member.due[class(is_bulk)]
    return member.waiting[class(is_bulk)] > 0 and due <= now and now <= due + LATE
end

local function n_before(turn, other, is_bulk)
    local n_fewer = math.max(0, (turn.held[turn.member.number] or 0) - (turn.held[other.number] or 0))
    local n = is_due(other, is_bulk) and math.min(n_fewer, other.waiting[class(is_bulk)]) or 0
    if is_bulk and is_due(other, false) then n = n + other.waiting[1] end
    return n
end

local function reserve(turn, is_bulk)
    local n_ahead, lapses_at = 0, huge
    for _, other in ipairs(shared.members) do
        local n = other == turn.member and 0 or n_before(turn, other, is_bulk)
        if n > 0 then
            local latest = -huge
            for _, due in ipairs(other.due) do
                if due <= now then latest = math.max(latest, due + LATE) end
            end
            n_ahead, lapses_at = n_ahead + n, math.min(lapses_at, latest)
        end
    end
    for _ = 1, math.min(n_ahead, limits.per_minute) - turn.n_reserved do
        start_attempt(turn.pace, is_bulk)
        turn.n_reserved = turn.n_reserved + 1
    end
    return math.max(lapses_at, now + LATE / 10)
end

local function soonest_of(turn, is_bulk)
    if not is_bulk then return single_from(turn.pace) end
    local n_waiting = 0
    for _, one in ipairs(shared.members) do n_waiting = n_waiting + one.waiting[2] end
    return bulk_from(turn.pace, math.max(1, n_waiting))
end

local function take(turn, is_bulk)
    local member = turn.member
    local arrival, is_probe = start_attempt(turn.pace, is_bulk)
    local number = add_place(arrival, member.number, is_bulk, now)
    shared.last_bulk = turn.pace.last_bulk
    if is_probe then
        shared.probing[#shared.probing + 1] = {place = number, is_bulk = is_bulk, ['until'] = now + GONE}
    end
    member.waiting[class(is_bulk)] = member.waiting[class(is_bulk)] - 1
    turn.held[member.number] = (turn.held[member.number] or 0) + 1
    return number
end

local function take_places(turn, max_places, is_bulk)
    local taken, of, soonest = {}, class(is_bulk), now
    if turn.member.waiting[of] == 0 then return taken, now end
    while true do
        local lapses_at = reserve(turn, is_bulk)
        soonest = math.max(soonest_of(turn, is_bulk), shared.settled_at)
        if soonest > now then
            soonest = math.min(soonest, lapses_at)
            break
        end
        if #taken == max_places or turn.member.waiting[of] == 0 then break end
        taken[#taken + 1] = take(turn, is_bulk)
    end
    turn.member.due[of] = soonest < huge and soonest or -huge
    return taken, soonest
end

local function granted_to(member, message)
    local live, held, pause = live_at(now), {}, shared.pause
    for _, place in ipairs(live) do held[place[3]] = (held[place[3]] or 0) + 1 end
    local turn = {member = member, pace = pace_of(live, message), held = held, n_reserved = 0}
    local singles, single_at = take_places(turn, message.max_places, false)
    local bulk, bulk_at = take_places(turn, message.max_places, true)
    local n = #singles + #bulk
    return {
        epoch = shared.epoch,
        member = member.number,
        last_place = shared.next_place - 1,
        singles = singles,
        bulk = bulk,
        single_wait = math.max(0, single_at - now),
        bulk_wait = math.max(0, bulk_at - now),
        n_members = #shared.members,
        n_free = math.max(0, limits.per_minute - #live - n),
        n_others = #live - (held[member.number] or 0) + n,
        pause = math.max(0, pause['until'] - now),
        refusals = pause.refusals,
        refused_for = pause.refusals > 0 and now - pause.refused_since or 0,
    }
end

local function exchange(message)
    forget()
    if message.epoch ~= 0 and message.epoch ~= shared.epoch then
        shared.settled_at = now + SETTLING
        return {epoch = shared.epoch, is_unknown = true}
    end
    if #message.restated > 0 and now > shared.settled_at then shared.settled_at = now + SETTLING end
    local member = joined(message)
    if message.last_place then
        drop(function(place) return place[3] == member.number and place[2] > message.last_place end)
    end
    for _, ended in ipairs(message.ended) do end_place(ended) end
    for _, restated in ipairs(message.restated) do
        add_place(now - restated.ago, member.number, restated.is_bulk, now - restated.ago)
    end
    if message.quota then note_quota(message.quota) end
    member.waiting = {message.n_singles, message.n_bulk}
    if message.leaves then
        shared.members = kept(shared.members, function(one) return one ~= member end)
        return {epoch = shared.epoch, member = member.number, last_place = shared.next_place - 1}
    end
    return granted_to(member, message)
end

-- The record.

local function new_shared(settled_at)
    return {
        epoch = tonumber(ARGV[2]),
        settled_at = settled_at,
        next_place = 1,
        next_member = 1,
        last_bulk = -huge,
        pause = {at = -huge, ['until'] = -huge, refusals = 0, refused_since = huge, probes = {}},
        transit = {seconds = MIN_TRANSIT, ['until'] = -huge},
        probing = {},
        places = {},
        members = {},
    }
end

local function time()
    if ARGV[3] then return tonumber(ARGV[3]) end
    local seconds = redis.call('TIME')
    return tonumber(seconds[1]) + tonumber(seconds[2]) / 1000000
end

local stored, clock = redis.call('GET', KEYS[1]), time()
local is_read, record = true, {version = VERSION, at = -huge, offset = 0}
if stored then is_read, record = pcall(cmsgpack.unpack, stored) end
if is_read and type(record) == 'table' and (record.version or 0) > VERSION then
    return redis.error_reply('NEWER version of planhat-async')
end
local is_damaged = not is_read or type(record) ~= 'table' or record.version ~= VERSION
if is_damaged then record = {version = VERSION, at = -huge, offset = 0} end
if clock + record.offset < record.at then record.offset = record.at - clock end
now = clock + record.offset
shared = record.shared or new_shared(is_damaged and now + SETTLING or -huge)
local message = cmsgpack.unpack(ARGV[1])
limits = message.limits
local reply = exchange(message)
shared.pause.probes = {}
record.at, record.shared = now, shared
redis.call('SET', KEYS[1], cmsgpack.pack(record), 'EX', EXPIRES)
return cmsgpack.pack(reply)
