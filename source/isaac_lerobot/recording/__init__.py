"""What a recording is: its configuration, states, commands, status, success rule and export rule."""
