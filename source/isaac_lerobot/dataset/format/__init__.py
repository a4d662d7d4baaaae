"""What the files of a dataset say: paths, features, metadata, tables, statistics. Changes no dataset."""
