"""What the fork server imports once, so that no child has to.

It loads torch, torchvision and all of training but never touches `torch.cuda`: a CUDA context does
not survive a fork.
"""

import gc

import torchvision.datasets.mnist  # noqa: F401 - the reader of the data files; 2 to 3 s

import bench.measure  # noqa: F401 - with it torch and all of training

gc.collect()
gc.freeze()  # a collection in a child, one a window of the clock, takes 0.2 s over the imports else
