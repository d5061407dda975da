"""Clients of the control plane: CloudFormation, Lambda, IAM and what `router status` reads."""
