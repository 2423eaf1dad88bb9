"""Kafka clients of our own, outside the worker's consumer group: topics, offsets, reading the log, publishing."""
