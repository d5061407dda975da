"""Messages of files and objects of S3, replayed through the config into its tables."""
