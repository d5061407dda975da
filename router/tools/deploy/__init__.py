"""From the config to the running Lambda function or worker: build, template, deploy."""
