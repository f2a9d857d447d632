"""What the fork server imports once, so that no child has to.

It loads torch, torchvision and all of training but never touches `torch.cuda`: a CUDA context does
not survive a fork.
"""

import contextlib
import gc

with contextlib.suppress(Exception):  # a broken torch: the first child says what is wrong with it
    import bench.measure  # noqa: F401 - with it torch and all of training

gc.collect()
gc.freeze()  # a collection in a child, before its clock starts, takes 0.2 s over the imports else
