"""From the config to a CloudFormation template, a Dockerfile, or a unit of systemd."""
