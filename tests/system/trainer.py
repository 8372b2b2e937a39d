# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
A small PyTorch training as people write it: a DataLoader over files, a model, metrics by HTTP, a checkpoint by torch.save.
Run as a program; where RANK is set it is one rank of a DDP run over gloo. Rank 0 alone reads, and hands on what it read.

The checkpoint keeps the first KEPT samples as they were read, so that it is known how much of the dataset is in it at least.
"""
import argparse
import http.client
import json
import os

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset

FEATURES = 64


class Files(Dataset):
    def __init__(self, folder):
        self.paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with open(self.paths[i], "rb") as f:
            return torch.frombuffer(bytearray(f.read()), dtype=torch.uint8)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(FEATURES, 1)

    def forward(self, x):
        return self.layer(x)


def post(to, body):
    """As a metrics library does; nobody waits for the answer."""
    c = http.client.HTTPConnection(to, timeout=60)
    c.request("POST", "/metrics", json.dumps(body), {"Content-Type": "application/json"})
    c.getresponse().read()
    c.close()


def learn(model, optimizer, batch):
    optimizer.zero_grad()
    loss = model(batch[:, :FEATURES].float() / 255).square().mean()
    loss.backward()
    optimizer.step()
    return float(loss)


def read_samples(options, model, optimizer):
    """What the checkpoint keeps, and how many bytes came out of the loader."""
    loader = DataLoader(Files(options.data), batch_size=8, num_workers=options.workers)
    kept, seen = [], 0
    for step, batch in enumerate(loader):
        loss = learn(model, optimizer, batch)
        seen += batch.numel()
        if len(kept) < options.keep:
            kept.extend(batch[:options.keep - len(kept)].clone())
        for to in options.metrics:
            post(to, {"step": step, "loss": loss})
    return torch.stack(kept), seen


def train(options, rank):
    torch.manual_seed(1)
    model = Net()
    if rank is not None:
        dist.init_process_group("gloo", rank=rank, world_size=int(os.environ["WORLD_SIZE"]))
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    seen = 0
    if not rank:
        kept, seen = read_samples(options, model.module if rank == 0 else model, optimizer)
    if rank is not None:
        shape = torch.tensor(kept.shape if rank == 0 else [0, 0])
        dist.broadcast(shape, 0)
        kept = kept if rank == 0 else torch.zeros(*shape.tolist(), dtype=torch.uint8)
        dist.broadcast(kept, 0)
        for _ in range(3):  # gradients go both ways
            learn(model, optimizer, kept)
    return model, kept, seen


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data")
    p.add_argument("--workers", type=int, default=0)
    p.add_argument("--keep", type=int, default=1)
    p.add_argument("--metrics", action="append", default=[], metavar="HOST:PORT")
    p.add_argument("--checkpoint")
    p.add_argument("--report")
    options = p.parse_args()
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"]) if "RANK" in os.environ else None
    model, kept, seen = train(options, rank)
    if options.checkpoint:
        torch.save({"model": model.state_dict(), "kept": kept}, options.checkpoint)
    if rank is not None:
        dist.destroy_process_group()
    with open(options.report, "w", encoding="utf-8") as f:
        f.write(json.dumps({"pid": os.getpid(), "read": seen, "kept": kept.numel()}) + "\n")


if __name__ == "__main__":
    main()
