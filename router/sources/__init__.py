"""The sources of attribute values."""
