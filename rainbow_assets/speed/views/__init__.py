"""What is live: the speed part beside each publication, and the views over both. No Dagster."""
