"""Answers about JSON Schemas, and about JMESPath over their values; knows no route, queue or table."""
