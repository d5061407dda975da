"""The data plane without an SDK: requests as bytes, signed here, over connections that are kept."""
