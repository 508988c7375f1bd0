"""Objects, who owns whom, and the log of changes from which watches are served."""

import sqlalchemy as sa
from alembic import op

revision = "operator_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    version = op.create_table(
        "store_version",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("latest", sa.Integer, nullable=False),
        sa.Column("pruned", sa.Integer, nullable=False),
    )
    op.bulk_insert(version, [{"id": 1, "latest": 0, "pruned": 0}])
    op.create_table(
        "objects",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("uid", sa.String, nullable=False, unique=True),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("manager", sa.String, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "owners",
        sa.Column("owner", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "changes",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("manager", sa.String, nullable=False),
    )
