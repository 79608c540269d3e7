"""The asset graph, a folder a stage. It describes and calls; the work is done elsewhere."""
