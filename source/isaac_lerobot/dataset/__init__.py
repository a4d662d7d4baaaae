"""The LeRobot v3.0 format on disk: features, statistics, video, tables, writer, reader, check and repair."""
