#!/usr/bin/python3
"""Makes the models and predictions with which test_model_xgboost.c compares the evaluator.

Run in this folder with Debian 12's python3-xgboost (1.7.4); not part of the build or the tests.
For each model: NAME.json, written by save_model; NAME.csv, its rows (empty: missing); and
NAME.expected, with one line per row: margins, then predictions, 17 digits.
"""
import json
import numpy as np
import xgboost as xgb

ROWS, COLUMNS = 300, 5
rng = np.random.default_rng(20260101)


def features(categorical):
    x = rng.normal(size=(ROWS, COLUMNS)).round(3)
    x[rng.random(x.shape) < 0.12] = np.nan
    x[rng.random(x.shape) < 0.08] = 0
    if categorical:
        x[:, 4] = rng.integers(0, 40, size=ROWS)
        x[rng.random(ROWS) < 0.1, 4] = np.nan
    return x


def make(name, params, rounds, categorical=False):
    x = features(categorical)
    s = np.nan_to_num(x[:, 0]) - 2 * np.nan_to_num(x[:, 1]) + (np.nan_to_num(x[:, 4]) % 3)
    s = s + rng.normal(scale=0.3, size=ROWS)
    objective = params["objective"]
    if objective.startswith("multi"):
        y = np.digitize(s, [-1, 1])
    elif objective.startswith("binary"):
        y = (s > 0.5).astype(int)
    elif objective.startswith("count"):
        y = np.floor(np.abs(s))
    else:
        y = s
    kinds = ["q"] * (COLUMNS - 1) + ["c" if categorical else "q"]
    data = xgb.DMatrix(x, label=y, feature_types=kinds, enable_categorical=True)
    base = {"max_depth": 3, "eta": 0.4, "tree_method": "hist", "seed": 7}
    model = xgb.train({**base, **params}, data, rounds)
    model.save_model(name + ".json")
    text = json.load(open(name + ".json"))
    json.dump(text, open(name + ".json", "w"), separators=(",", ":"))
    open(name + ".json", "a").write("\n")
    rows = x[:60].copy()
    # Values at the very thresholds, where < and <= part.
    trees = text["learner"]["gradient_booster"]
    trees = trees.get("gbtree", trees)["model"]["trees"]
    at = 0
    for tree in trees[:8]:
        for i, left in enumerate(tree["left_children"]):
            if left >= 0 and tree["split_type"][i] == 0 and at < len(rows):
                rows[at, tree["split_indices"][i]] = np.float32(tree["split_conditions"][i])
                at += 1
    if categorical:  # never seen, fractional, negative
        rows[0, 4], rows[1, 4], rows[2, 4], rows[3, 4] = 1000, 5.75, 63, 39
    with open(name + ".csv", "w") as f:
        for row in rows:
            f.write(",".join("" if np.isnan(v) else "%.17g" % v for v in row) + "\n")
    d = xgb.DMatrix(rows, feature_types=kinds, enable_categorical=True)
    margin = model.predict(d, output_margin=True).reshape(len(rows), -1)
    answer = model.predict(d).reshape(len(rows), -1)
    with open(name + ".expected", "w") as f:
        for m, a in zip(margin, answer):
            f.write(" ".join("%.17g" % v for v in np.concatenate([m, a])) + "\n")


make("xgb_binary", {"objective": "binary:logistic", "base_score": 0.3}, 8)
make("xgb_regression", {"objective": "reg:squarederror"}, 8)
make("xgb_softprob", {"objective": "multi:softprob", "num_class": 3}, 4)
make("xgb_dart", {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.4}, 8)
make("xgb_poisson", {"objective": "count:poisson"}, 6)
make("xgb_forest", {"objective": "reg:squarederror", "num_parallel_tree": 3, "subsample": 0.6,
                    "gamma": 2.0, "tree_method": "exact"}, 3)
make("xgb_categorical", {"objective": "binary:logistic", "max_cat_to_onehot": 4}, 6, True)
