"""How Alembic brings a database to the latest schema: on the connection that it is given."""

from alembic import context

from mercato.app.service.records import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False
)
context.run_migrations()
