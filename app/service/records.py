"""What the service keeps: the tables of its database.

Sales come in batches that are never changed. A sheet is one round of proposals for a date, a proposal one
series of it; at most one proposal a series and date stands, and at most one is released: the database itself
refuses a second one, whatever the number of processes. The trail of who did what is ``audit``.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

PROPOSED, HELD, RELEASED, REJECTED = "proposed", "held", "released", "rejected"
SUPERSEDED, WITHDRAWN = "superseded", "withdrawn"
STATUSES = (PROPOSED, HELD, RELEASED, REJECTED, SUPERSEDED, WITHDRAWN)
OPEN = (PROPOSED, HELD)
_STANDS = text("status not in ('superseded', 'withdrawn')")

metadata = MetaData()

batches = Table(
    "sales_batch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),  # the client's: a batch is taken once
    Column("digest", String(64), nullable=False),  # of the rows
    Column("rows", Integer, nullable=False),
    Column("first_date", String(32), nullable=False),
    Column("last_date", String(32), nullable=False),
    Column("accepted_at", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("body", LargeBinary, nullable=False),  # parquet
)

sheets = Table(
    "sheet",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("date", String(32), nullable=False, index=True),
    Column("market", String(64), nullable=False),  # digests of what proposed it
    Column("policy", String(64), nullable=False),
    Column("input", String(64), nullable=False),  # … of the sales and the stock that it was told
    Column("currency", String(16), nullable=False),
    Column("gain", Float, nullable=False),  # money of the period, all prices changed against all kept
    Column("gain_lo", Float, nullable=False),
    Column("gain_hi", Float, nullable=False),
    Column("steps", Text, nullable=False),  # JSON: what each step of after-treatment did, by name
    Column("notes", Text, nullable=False),  # JSON: what was not decided, and why
    Column("proposed_at", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
)

proposals = Table(
    "proposal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("sheet", Integer, ForeignKey("sheet.id"), nullable=False, index=True),
    Column("date", String(32), nullable=False),
    Column("location", String(500), nullable=False),
    Column("item", String(500), nullable=False),
    Column("status", String(16), nullable=False),
    Column("current_price", Float, nullable=False),
    Column("price", Float, nullable=False),
    Column("least_price", Float, nullable=False),  # what the price rules leave
    Column("most_price", Float),  # null: they set no limit
    Column("order", Integer, nullable=False),
    Column("expected_units", Float, nullable=False),
    Column("expected_gain", Float, nullable=False),
    Column("gain_lo", Float, nullable=False),
    Column("gain_hi", Float, nullable=False),
    Column("outside_support", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("flags", Text, nullable=False),  # steps of after-treatment that touched it, with what they did
    Index(
        "one_standing_proposal",
        "date",
        "location",
        "item",
        unique=True,
        sqlite_where=_STANDS,
        postgresql_where=_STANDS,
    ),
    Index("proposals_by_status", "status", "date"),
)

releases = Table(
    "release",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("date", String(32), nullable=False),
    Column("location", String(500), nullable=False),
    Column("item", String(500), nullable=False),
    Column("price", Float, nullable=False),
    Column("order", Integer),  # null: nobody decided an order
    Column("source", String(16), nullable=False),  # approved, changed, or kill switch
    Column("proposal", Integer, ForeignKey("proposal.id")),
    Column("reason", Text, nullable=False),
    Column("released_at", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    UniqueConstraint("date", "location", "item", name="released_once"),
)

tokens = Table(
    "token",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("added_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
)

switch = Table(
    "kill_switch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("on", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON
    Column("before", String(64), nullable=False),  # hash of the entry before
    Column("hash", String(64), nullable=False),
)

head = Table(
    "audit_head",  # one row, which every writer locks: the chain has one end
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
