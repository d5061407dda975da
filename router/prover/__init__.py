"""Answers about JSON Schemas, and about JMESPath over their values.

It knows no route, queue or table.
"""
