"""The report of one system: its data model and files, tables, heat maps and HTML page."""
