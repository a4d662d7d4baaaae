"""Isaac Lab's ``EpisodeData`` as dataset columns, without a simulator."""
