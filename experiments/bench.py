"""Side by side, in one process, by turns: the net and Keras's loop; the sparse layer and a peer.

`make bench` installs the peer (transformers) under build/ and prints medians and ratios.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")

import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ROUNDS = 5
PEER = Path(__file__).resolve().parents[1] / "build" / "bench-peer"


def by_turns(jobs, rounds=ROUNDS):
    """Median seconds of each of `jobs` {name: function}, run in turn `rounds` times."""
    taken = {name: [] for name in jobs}
    for number in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            taken[name].append(time.perf_counter() - start)
            print(f"  round {number + 1}: {name:<44} {taken[name][-1]:7.2f} s", flush=True)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def report(title, seconds, baseline):
    print(f"\n{title}; medians of {ROUNDS}, ratio to {baseline}")
    for name, value in seconds.items():
        print(f"  {name:<44} {value * 1e3:10.1f} ms  {value / seconds[baseline]:7.2f}")


def net():
    """The net's training, 800 rows and 500 epochs, and the loss that each trainer reaches."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    from experiments.net import Net
    from helpers.frameworks import tf
    from helpers.screening import asd

    table = asd.load()
    X, y = table[asd.ITEMS].to_numpy(np.float32), table[asd.TARGET].to_numpy()
    reached = {}

    def ours():
        reached["numpy (experiments.net.Net)"] = Net().fit(X, y).predict_proba(X)[:, 1]

    def scikit_learn():
        settings = {"activation": "tanh", "learning_rate_init": 5e-4, "batch_size": 64, "alpha": 0}
        model = MLPClassifier((128,) * 3, max_iter=500, n_iter_no_change=500, **settings)
        reached["scikit-learn's MLPClassifier"] = model.fit(X, y).predict_proba(X)[:, 1]

    def keras():
        layers = [tf.keras.layers.Dense(128, activation="tanh") for _ in range(3)]
        model = tf.keras.Sequential([*layers, tf.keras.layers.Dense(1, activation="sigmoid")])
        model.compile(tf.keras.optimizers.Adam(5e-4), "binary_crossentropy")
        model.fit(X, y, epochs=500, batch_size=64, verbose=0)
        reached["Keras, as submitted"] = model.predict(X, verbose=0)[:, 0]

    jobs = dict(
        zip(
            [
                "numpy (experiments.net.Net)",
                "scikit-learn's MLPClassifier",
                "Keras, as submitted",
            ],
            [ours, scikit_learn, keras],
            strict=True,
        )
    )
    report("Training the net", by_turns(jobs), "numpy (experiments.net.Net)")
    for name, p in reached.items():
        print(f"  training loss reached: {name:<30} {log_loss(y, p):.4f}")


def layer(rows=4096, width=128, hidden=384, top_k=2):
    """Forward and backward of one layer, at 8, 16 and 64 experts and the same work per row."""
    import torch
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    from helpers.moe.sparse import SparseMoE

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(rows, width)

    def step(module, form, x):
        def run():
            module.zero_grad()
            form(x).square().mean().backward()

        return run

    jobs = {}
    for num_experts in (8, 16, 64):
        ours = SparseMoE(width, hidden, num_experts, top_k)
        jobs[f"sparse, {num_experts} experts"] = step(ours, ours, x)
        jobs[f"dense, {num_experts} experts"] = step(ours, ours.dense, x)
        for form in ("eager", "grouped_mm"):
            # Its experts have three matrices: two thirds of the width make the work the same.
            peer = MixtralSparseMoeBlock(
                MixtralConfig(
                    hidden_size=width,
                    intermediate_size=hidden * 2 // 3,
                    num_local_experts=num_experts,
                    num_experts_per_tok=top_k,
                    experts_implementation=form,
                )
            )
            for parameter in peer.parameters():
                torch.nn.init.normal_(parameter, std=width**-0.5)
            name = f"transformers' Mixtral block ({form}), {num_experts} experts"
            jobs[name] = step(peer, peer, x[None])
    for job in jobs.values():
        job()  # warm up
    title = f"The layer, {rows} rows, top {top_k}, forward and backward"
    report(title, by_turns(jobs, ROUNDS), "sparse, 8 experts")


if __name__ == "__main__":
    sys.path.append(str(PEER))  # last: what the environment has comes first
    warnings.simplefilter("ignore")
    layer()
    net()
