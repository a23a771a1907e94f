"""Reads a folder of event files with TensorBoard's own reader, as its page does.

Prints one line a value: TAG STEP VALUE, in the order of tags and steps."""
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

accumulator = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0, "scalars": 0})
accumulator.Reload()
for tag in sorted(accumulator.Tags()["scalars"]):
    for event in accumulator.Scalars(tag):
        print(tag, event.step, f"{event.value:.9g}")
