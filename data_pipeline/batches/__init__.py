"""From decoded images to batches on the device."""
