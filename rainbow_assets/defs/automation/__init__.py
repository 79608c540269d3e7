"""Jobs, schedules, and the running of a job from the command line."""
