"""A double of Kit's ``omni.kit.usd.layers``: ``isaacsim.simulation_app`` imports it, for live sessions only."""
