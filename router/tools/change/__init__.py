"""What the step from one config to the next breaks, risks and changes: `router diff`, and recorded messages."""
