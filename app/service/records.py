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
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from .kept import Prose, Whole, Words

PROPOSED, HELD, RELEASED, REJECTED = "proposed", "held", "released", "rejected"
SUPERSEDED, WITHDRAWN = "superseded", "withdrawn"
STATUSES = (PROPOSED, HELD, RELEASED, REJECTED, SUPERSEDED, WITHDRAWN)
OPEN = (PROPOSED, HELD)
_STANDS = text("status not in ('superseded', 'withdrawn')")

metadata = MetaData()

batches = Table(
    "sales_batch",
    metadata,
    Column("id", Whole("id"), primary_key=True, autoincrement=True),
    Column("key", Words("key", 200), nullable=False, unique=True),  # the client's: a batch is taken once
    Column("digest", Words("digest", 64), nullable=False),  # of the rows
    Column("rows", Whole("rows"), nullable=False),
    Column("first_date", Words("first_date", 32), nullable=False),
    Column("last_date", Words("last_date", 32), nullable=False),
    Column("accepted_at", Words("accepted_at", 32), nullable=False),
    Column("actor", Words("actor", 200), nullable=False),
    Column("body", LargeBinary, nullable=False),  # CSV, gzip
)

sheets = Table(
    "sheet",
    metadata,
    Column("id", Whole("id"), primary_key=True, autoincrement=True),
    Column("date", Words("date", 32), nullable=False, index=True),
    Column("market", Words("market", 64), nullable=False),  # digests of what proposed it
    Column("policy", Words("policy", 64), nullable=False),
    Column("input", Words("input", 64), nullable=False),  # … of the sales and the stock that it was told
    Column("currency", Words("currency", 16), nullable=False),
    Column("gain", Float, nullable=False),  # money of the period, all prices changed against all kept
    Column("gain_lo", Float, nullable=False),
    Column("gain_hi", Float, nullable=False),
    Column("steps", Prose("steps"), nullable=False),  # JSON: what each step of after-treatment did, by name
    Column("notes", Prose("notes"), nullable=False),  # JSON: what was not decided, and why
    Column("proposed_at", Words("proposed_at", 32), nullable=False),
    Column("actor", Words("actor", 200), nullable=False),
)

proposals = Table(
    "proposal",
    metadata,
    Column("id", Whole("id"), primary_key=True, autoincrement=True),
    Column("sheet", Whole("sheet"), ForeignKey("sheet.id"), nullable=False, index=True),
    Column("date", Words("date", 32), nullable=False),
    Column("location", Words("location", 500), nullable=False),
    Column("item", Words("item", 500), nullable=False),
    Column("status", Words("status", 16), nullable=False),
    Column("current_price", Float, nullable=False),
    Column("price", Float, nullable=False),
    Column("least_price", Float, nullable=False),  # what the price rules leave
    Column("most_price", Float),  # null: they set no limit
    Column("order", Whole("order"), nullable=False),
    Column("expected_units", Float, nullable=False),
    Column("expected_gain", Float, nullable=False),
    Column("gain_lo", Float, nullable=False),
    Column("gain_hi", Float, nullable=False),
    Column("outside_support", Boolean, nullable=False),
    Column("why", Prose("why"), nullable=False),
    Column("note", Prose("note"), nullable=False),
    Column("flags", Prose("flags"), nullable=False),  # steps of after-treatment that touched it
    Column("would_change", Prose("would_change")),  # null: filed before it was told
    Column("drivers", Prose("drivers")),  # JSON: amounts by name that sum to the change; null: not asked for
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
    Column("id", Whole("id"), primary_key=True, autoincrement=True),
    Column("date", Words("date", 32), nullable=False),
    Column("location", Words("location", 500), nullable=False),
    Column("item", Words("item", 500), nullable=False),
    Column("price", Float, nullable=False),
    Column("order", Whole("order")),  # null: nobody decided an order
    Column("source", Words("source", 16), nullable=False),  # approved, changed, or kill switch
    Column("proposal", Whole("proposal"), ForeignKey("proposal.id")),
    Column("reason", Prose("reason"), nullable=False),
    Column("released_at", Words("released_at", 32), nullable=False),
    Column("actor", Words("actor", 200), nullable=False),
    UniqueConstraint("date", "location", "item", name="released_once"),
)

tokens = Table(
    "token",
    metadata,
    Column("id", Whole("id"), primary_key=True, autoincrement=True),
    Column("name", Words("name", 200), nullable=False, unique=True),
    Column("role", Words("role", 16), nullable=False),
    Column("hash", Words("hash", 64), nullable=False, unique=True),
    Column("added_at", Words("added_at", 32), nullable=False),
    Column("revoked_at", Words("revoked_at", 32)),
)

switch = Table(
    "kill_switch",
    metadata,
    Column("id", Whole("id"), primary_key=True, autoincrement=False),
    Column("on", Boolean, nullable=False),
    Column("reason", Prose("reason"), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Whole("seq"), primary_key=True, autoincrement=False),
    Column("at", Words("at", 32), nullable=False),
    Column("actor", Words("actor", 200), nullable=False),
    Column("action", Words("action", 40), nullable=False),
    Column("body", Prose("body"), nullable=False),  # canonical JSON
    Column("before", Words("before", 64), nullable=False),  # hash of the entry before
    Column("hash", Words("hash", 64), nullable=False),
)

head = Table(
    "audit_head",  # one row, which every writer locks: the chain has one end
    metadata,
    Column("id", Whole("id"), primary_key=True, autoincrement=False),
    Column("seq", Whole("seq"), nullable=False),
    Column("hash", Words("hash", 64), nullable=False),
)
