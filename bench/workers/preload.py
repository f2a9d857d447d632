"""What the fork server imports once, so that no child has to.

It loads torch, torchvision, all of training and the compiler, but never touches `torch.cuda`: a
CUDA context does not survive a fork.
"""

import contextlib
import gc
import warnings

from bench.machine.cache import use_compile_cache
from bench.machine.provenance import describe_provenance
from bench.shell import outlast_reader
from bench.workers.confinement import adopt_orphans

use_compile_cache()  # the compiler settles its folder when it is imported
with contextlib.suppress(Exception):  # a broken torch: the first child says what is wrong with it
    import bench.run.seed  # noqa: F401 - with it torch and all of training

with contextlib.suppress(OSError):  # calls git and hashes all sources, as every child would
    describe_provenance()

with contextlib.suppress(Exception):  # a second that every compiled child would spend
    from bench.machine.device import gpu_taken_on_trust

    with gpu_taken_on_trust():
        import torch._inductor.compile_fx  # noqa: F401
    from torch._inductor import codecache

    codecache.torch_key()  # hashes of all of torch and triton, which name what is in the cache
    codecache.triton_key()

adopt_orphans()  # of children that died: their parent ends them
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")  # one of those

for stream in ("stdout", "stderr"):  # a model that prints is not ended by `2>&1 | head`
    outlast_reader(stream)

gc.collect()
gc.freeze()  # a collection in a child, before its clock starts, takes 0.2 s over the imports else
