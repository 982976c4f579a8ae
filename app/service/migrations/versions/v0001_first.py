"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None
_STANDS = sa.text("status not in ('superseded', 'withdrawn')")
_WORD, _NAME, _HASH = sa.String(32), sa.String(500), sa.String(64)


def _id(counted: bool = True) -> sa.Column[Any]:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=counted)


def _must(name: str, kind: Any, *more: sa.ForeignKey, **how: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *more, nullable=False, **how)


def upgrade() -> None:
    op.create_table(
        "sales_batch",
        _id(),
        _must("key", sa.String(200), unique=True),
        _must("digest", _HASH),
        _must("rows", sa.Integer),
        _must("first_date", _WORD),
        _must("last_date", _WORD),
        _must("accepted_at", _WORD),
        _must("actor", sa.String(200)),
        _must("body", sa.LargeBinary),
    )
    op.create_table(
        "sheet",
        _id(),
        _must("date", _WORD, index=True),
        *(_must(name, _HASH) for name in ("market", "policy", "input")),
        _must("currency", sa.String(16)),
        *(_must(name, sa.Float) for name in ("gain", "gain_lo", "gain_hi")),
        _must("steps", sa.Text),
        _must("notes", sa.Text),
        _must("proposed_at", _WORD),
        _must("actor", sa.String(200)),
    )
    op.create_table(
        "proposal",
        _id(),
        _must("sheet", sa.Integer, sa.ForeignKey("sheet.id"), index=True),
        _must("date", _WORD),
        _must("location", _NAME),
        _must("item", _NAME),
        _must("status", sa.String(16)),
        *(_must(name, sa.Float) for name in ("current_price", "price", "least_price")),
        sa.Column("most_price", sa.Float),
        _must("order", sa.Integer),
        *(_must(name, sa.Float) for name in ("expected_units", "expected_gain", "gain_lo", "gain_hi")),
        _must("outside_support", sa.Boolean),
        *(_must(name, sa.Text) for name in ("why", "note", "flags")),
    )
    op.create_index(
        "one_standing_proposal",
        "proposal",
        ["date", "location", "item"],
        unique=True,
        sqlite_where=_STANDS,
        postgresql_where=_STANDS,
    )
    op.create_index("proposals_by_status", "proposal", ["status", "date"])
    op.create_table(
        "release",
        _id(),
        _must("date", _WORD),
        _must("location", _NAME),
        _must("item", _NAME),
        _must("price", sa.Float),
        sa.Column("order", sa.Integer),
        _must("source", sa.String(16)),
        sa.Column("proposal", sa.Integer, sa.ForeignKey("proposal.id")),
        _must("reason", sa.Text),
        _must("released_at", _WORD),
        _must("actor", sa.String(200)),
        sa.UniqueConstraint("date", "location", "item", name="released_once"),
    )
    op.create_table(
        "token",
        _id(),
        _must("name", sa.String(200), unique=True),
        _must("role", sa.String(16)),
        _must("hash", _HASH, unique=True),
        _must("added_at", _WORD),
        sa.Column("revoked_at", _WORD),
    )
    op.create_table("kill_switch", _id(False), _must("on", sa.Boolean), _must("reason", sa.Text))
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        _must("at", _WORD),
        _must("actor", sa.String(200)),
        _must("action", sa.String(40)),
        _must("body", sa.Text),
        _must("before", _HASH),
        _must("hash", _HASH),
    )
    op.create_table("audit_head", _id(False), _must("seq", sa.Integer), _must("hash", _HASH))
    op.execute("insert into audit_head (id, seq, hash) values (1, 0, '" + "0" * 64 + "')")
    op.execute("insert into kill_switch (id, \"on\", reason) values (1, false, '')")
