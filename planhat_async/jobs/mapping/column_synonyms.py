"""What help desks and CRMs call the fields of records in their exports: decisions only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_WORDS: Mapping[tuple[str, ...], str] = {
    ("source_id", "external_id"): "ticketid ticketnumber ticketno ticket# ticketref caseid casenumber issuekey issueid "
    "key conversationid recordid referenceid externalticketid hsticketid",
    ("email",): "requesteremail requesteremailaddress reporteremail useremail contactemail fromemail "
    "emailaddress workemail primaryemail",
    ("name",): "requester requestername reporter reportername customername contactname fullname username",
    ("title", "subject"): "subject summary ticketsubject ticketname ticketsummary ticket headline topic",
    ("description", "body"): "ticketdescription issuedescription body message firstmessage ticketbody content",
    ("severity", "priority"): "priority ticketpriority issuepriority urgency",
    ("status", "phase"): "ticketstatus issuestatus casestatus state ticketstate ticketstage",
    ("type",): "tickettype issuetype casetype requesttype ticketform ticketcategory",
    ("tags",): "tickettags labels label conversationtags",
    ("agent_email", "owner_email"): "assigneeemail agentemailaddress owneremail assignedtoemail",
    ("url", "web_page"): "link ticketurl ticketlink permalink weburl website",
    ("domains",): "domain organizationdomain organisationdomain companydomain emaildomain",
    ("company_external_id",): "accountid customerid organizationid organisationid clientid",
    ("first_name",): "firstname givenname",
    ("last_name",): "lastname surname familyname",
    ("position",): "jobtitle role",
    ("time_spent",): "timespentminutes minutesspent",
}
_FIELDS: Mapping[str, tuple[str, ...]] = {name: fields for fields, names in _WORDS.items() for name in names.split()}
_COMPANIES = frozenset(
    f"{one}{name}"
    for one in ("account", "company", "organization", "organisation")
    for name in ("", "name")
)  # fmt: skip


def synonyms_of(plain: str) -> Iterator[str]:
    """The fields that a column may be meant for, the likeliest first.

    Args:
        plain: Its name in lower case, without separators.
    """
    yield from _FIELDS.get(plain, ())


def names_a_company(plain: str) -> bool:
    """Whether a column of this name usually holds the name of a company."""
    return plain in _COMPANIES
