#!/usr/bin/env python3
"""Writes tests/data/metrics_expected.json: inputs and what scikit-learn and scipy say of them.

Usage: make_metrics_expected.py OUTPUT      (needs numpy, scipy, scikit-learn; run by hand, the result is stored)
"""
import json
import sys
import warnings

import numpy
import scipy
import sklearn
from scipy import stats
from sklearn import calibration, metrics

warnings.simplefilter("ignore")
random = numpy.random.default_rng(20260101)


def plain(value):
    """Numbers for JSON: NaN as null, infinity left out by the callers."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, numpy.ndarray)):
        return [plain(part) for part in value]
    if isinstance(value, (numpy.integer, int)):
        return int(value)
    value = float(value)
    return None if numpy.isnan(value) else value


def expected_calibration_error(confidence, right, bins):
    """Guo et al. 2017, equation 3, from scikit-learn's bins: each mean of right and of confidence, and numpy's counts."""
    accuracy, mean = calibration.calibration_curve(right, confidence, n_bins=bins, strategy="uniform")
    edges = numpy.linspace(0, 1, bins + 1)
    counts = numpy.bincount(numpy.searchsorted(edges[1:-1], confidence), minlength=bins)
    counts = counts[counts > 0]
    return float(numpy.sum(counts * numpy.abs(accuracy - mean)) / numpy.sum(counts)), accuracy, mean, counts


def classes_case(name, truth, probabilities):
    truth, probabilities = numpy.asarray(truth), numpy.asarray(probabilities, dtype=float)
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    labels = list(range(classes))
    case = {"name": name, "classes": classes, "truth": truth, "probabilities": probabilities.ravel(), "predicted": predicted,
            "accuracy": metrics.accuracy_score(truth, predicted),
            "confusion": metrics.confusion_matrix(truth, predicted, labels=labels),
            "mcc": metrics.matthews_corrcoef(truth, predicted),
            "log_loss": metrics.log_loss(truth, probabilities, labels=labels)}
    for average in ("macro", "micro", "weighted"):
        case[average] = metrics.precision_recall_fscore_support(truth, predicted, average=average)[:3]
    right = (predicted == truth).astype(int)
    for bins in (10, 15):
        error, accuracy, mean, counts = expected_calibration_error(probabilities.max(axis=1), right, bins)
        case[f"calibration_{bins}"] = {"error": error, "accuracy": accuracy, "confidence": mean, "counts": counts}
    if classes == 2:
        score = probabilities[:, 1]
        fpr, tpr, threshold = metrics.roc_curve(truth, score)
        fpr_all, tpr_all, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
        precision, recall, pr_threshold = metrics.precision_recall_curve(truth, score)
        case |= {"binary": metrics.precision_recall_fscore_support(truth, predicted, average="binary")[:3],
                 "roc_auc": metrics.roc_auc_score(truth, score),
                 "roc_curve": {"fpr": fpr, "tpr": tpr, "threshold": threshold[1:], "fpr_all": fpr_all, "tpr_all": tpr_all},
                 "average_precision": metrics.average_precision_score(truth, score),
                 "pr_curve": {"precision": precision, "recall": recall, "threshold": pr_threshold},
                 "brier": metrics.brier_score_loss(truth, score)}
    else:
        one_hot = numpy.eye(classes)[truth]
        case |= {"brier": numpy.mean(numpy.sum((probabilities - one_hot) ** 2, axis=1)),
                 "roc_auc": metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro", labels=labels)
                 if len(set(truth)) == classes else numpy.nan,
                 "average_precision": metrics.average_precision_score(one_hot, probabilities, average="macro")
                 if len(set(truth)) == classes else numpy.nan}
    return case


def numbers_case(name, truth, predicted, low, high):
    truth, predicted = numpy.asarray(truth, dtype=float), numpy.asarray(predicted, dtype=float)
    halves_away = numpy.sign(predicted) * numpy.floor(numpy.abs(predicted) + 0.5)
    stars = numpy.clip(halves_away, low, high).astype(int)
    return {"name": name, "truth": truth, "predicted": predicted, "low": low, "high": high,
            "mean_absolute_error": metrics.mean_absolute_error(truth, predicted),
            "root_mean_square_error": metrics.root_mean_squared_error(truth, predicted),
            "spearman": stats.spearmanr(truth, predicted).statistic,
            "pearson": stats.pearsonr(truth, predicted).statistic,
            "ranks": stats.rankdata(predicted),
            "quadratic_kappa": metrics.cohen_kappa_score(truth.astype(int), stars, weights="quadratic",
                                                         labels=list(range(low, high + 1)))}


def softmax(scores):
    shares = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def two(p):
    p = numpy.asarray(p, dtype=float)
    return numpy.stack([1 - p, p], axis=1)


def random_classes(count, classes, share=None, strength=1.5, digits=None):
    truth = random.choice(classes, size=count, p=share)
    scores = random.normal(size=(count, classes))
    scores[numpy.arange(count), truth] += strength
    probabilities = softmax(scores)
    if digits is not None:  # few different values: many ties; sixteenths, so that both columns are exact
        probabilities = numpy.round(probabilities * 16) / 16
        probabilities = two(probabilities[:, 1]) if classes == 2 else probabilities
    return truth, probabilities


classes = [
    classes_case("balanced", *random_classes(120, 2)),
    classes_case("imbalanced", *random_classes(150, 2, [0.93, 0.07])),
    classes_case("ties", *random_classes(120, 2, digits=1)),
    classes_case("all scores equal", [0, 1, 1, 0, 1], two([0.5] * 5)),
    classes_case("perfect", [0, 0, 1, 1], two([0.1, 0.2, 0.7, 0.9])),
    classes_case("all wrong", [1, 1, 0, 0], two([0.1, 0.2, 0.7, 0.9])),
    classes_case("sure and wrong", [1, 0, 1, 1], two([0.0, 1.0, 1.0, 0.0])),
    classes_case("always the same class", [0, 1, 1, 0, 1, 1], two([0.9, 0.8, 0.7, 0.6, 0.95, 0.55])),
    classes_case("one example of each", [1, 0], two([0.3, 0.6])),
    classes_case("three classes", *random_classes(140, 3, [0.6, 0.3, 0.1])),
    classes_case("five classes", *random_classes(160, 5)),
    classes_case("classes without truth, without predictions, without both", [0, 0, 1, 1, 2, 2],
                 [[.7, .1, .1, .1, 0], [.1, .2, .1, .6, 0], [.2, .6, .1, .1, 0], [.6, .2, .1, .1, 0], [.4, .3, .2, .1, 0],
                  [.1, .5, .3, .1, 0]]),
]

stars = random.integers(1, 11, size=130)
uneven = random.choice([1, 2, 3, 4, 7, 8, 9, 10], size=110, p=[.4, .05, .05, .1, .1, .1, .05, .15])
numbers = [
    numbers_case("stars", stars, stars + random.normal(scale=2, size=130), 1, 10),
    numbers_case("stars with missing values", uneven, 5.5 + 0.6 * (uneven - 5.5) + random.normal(scale=1.5, size=110), 1, 10),
    numbers_case("halves and values beyond the range", [1, 2, 3, 4, 5, 5], [0.5, 2.5, -3.5, 12, 4.5, 5.49], 1, 5),
    numbers_case("ties on both sides", [1, 1, 2, 2, 3, 3, 3], [2, 2, 2, 1, 3, 3, 1], 1, 3),
    numbers_case("reversed", [1, 2, 3, 4], [4, 3, 2, 1], 1, 4),
    numbers_case("from below zero", [-2, -1, 0, 1, 2, 0], [-1.5, -0.5, 0.4, 0.5, 3, -2.5], -2, 2),
    numbers_case("constant predictions", [1, 2, 3, 3], [2, 2, 2, 2], 1, 3),
]

wilson = []
for right, total in [(8, 10), (50, 100), (23050, 25000), (1, 3), (0, 20), (20, 20), (1, 1000)]:
    interval = stats.binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    wilson.append({"right": right, "total": total, "low": interval.low, "high": interval.high})

mcnemar = []
for b, c in [(0, 0), (1, 0), (3, 9), (12, 12), (24, 0), (10, 14), (12, 13), (25, 0), (40, 60), (300, 220), (10, 15), (500, 500)]:
    if b + c < 25:
        p, statistic = (stats.binomtest(min(b, c), b + c, 0.5).pvalue if b + c else 1.0), min(b, c)
    else:
        statistic = max(0, abs(b - c) - 1) ** 2 / (b + c)
        p = stats.chi2.sf(statistic, 1)
    mcnemar.append({"only_first": b, "only_second": c, "statistic": statistic, "p_value": p})

quantiles = random.normal(size=37)
shares = [0.025, 0.5, 0.975, 0, 1]


def keep_text(cases):
    """plain() of numbers; the names stay."""
    return [{key: value if key == "name" else plain(value) for key, value in case.items()} for case in cases]


document = {"made_with": {"numpy": numpy.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
            "classes": keep_text(classes), "numbers": keep_text(numbers), "wilson": plain(wilson), "mcnemar": plain(mcnemar),
            "quantiles": plain({"values": numpy.sort(quantiles), "shares": shares,
                                "expected": numpy.quantile(quantiles, shares)})}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(document, file, allow_nan=False, separators=(",", ":"))
    file.write("\n")
