"""One thread a test process: the tensors are small, and a second thread costs more than it gives."""

import torch

torch.set_num_threads(1)
