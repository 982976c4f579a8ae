"""What would change a decision, and what made it."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    for name in ("would_change", "drivers"):
        op.add_column("proposal", sa.Column(name, sa.Text))
