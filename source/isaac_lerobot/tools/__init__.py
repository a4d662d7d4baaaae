"""Tools on finished datasets: convert, replay, merge, push."""
