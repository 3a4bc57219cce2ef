"""Reference tables: what other tables are divided by, joined on and named after."""
