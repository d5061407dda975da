"""What can be proved about the messages, values and items of a route, from its schema, conditions
and mapping.
"""
