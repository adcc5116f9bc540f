#!/usr/bin/env bash
# Each night: sends the tickets of a file to Planhat, and tells someone unless all of them were stored.
#
#   ALERT=./send-to-chat ./nightly.sh tickets.csv FOLDER
#
# ALERT is a command that gets the subject as its argument and the details on its standard input; without it they are
# printed. A run that was interrupted or found no network is resumed by the next one with the same file: the journal in
# FOLDER, which has the name of the file's contents, knows what was sent. So the same contents are sent once only, and
# rows that Planhat has rejected are not sent again before they are corrected.
set -uo pipefail

file=$1 folder=$2
mkdir -p "$folder"
journal=$folder/$(sha256sum "$file" | cut -c1-16).db
rejects=${journal%.db}-rejected.csv

planhat-async upsert tickets "$file" --journal "$journal" --rejects "$rejects" > "$folder/log.txt" 2>&1
code=$?

case $code in
0) exit 0 ;;
1)
    subject="some tickets were not stored: see $folder/log.txt"
    [ -e "$rejects" ] && subject="some tickets were not stored: correct $rejects and send it"
    ;;
2) subject="the ticket file cannot be used" ;;
3)
    subject="Planhat could not be used: the next run goes on"
    if grep -q "answered 401" "$folder/log.txt"; then
        subject="Planhat refused the token: correct it, then the next run goes on"
    fi
    ;;
130 | 137 | 143) subject="the run was interrupted: the next run goes on" ;;
*) subject="the run failed with exit code $code" ;;
esac
if [ -n "${ALERT:-}" ]; then
    tail -n 20 "$folder/log.txt" | "$ALERT" "$subject"
else
    echo "$subject" >&2
    tail -n 20 "$folder/log.txt" >&2
fi
exit $code
