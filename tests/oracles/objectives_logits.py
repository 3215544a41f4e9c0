"""Distillation losses on logits as their papers define them, in decimals of 50 digits (lists in, list of floats out).

Every softmax is the textbook quotient, every target is written out class by class. Decimals neither overflow nor
underflow at logits of 1e4, so no formula is rearranged. No line of this file uses kdprobe, torch or numpy.
"""

from decimal import Decimal, getcontext

getcontext().prec = 50
getcontext().Emax, getcontext().Emin = 10**12, -(10**12)


def softmax(values, temperature=1):
    weights = [(Decimal(v) / Decimal(temperature)).exp() for v in values]
    return [w / sum(weights) for w in weights]


def divergence(p, q):
    return sum((a * (a.ln() - b.ln()) for a, b in zip(p, q, strict=True) if a), Decimal(0))


def cross_entropy(p, q):
    return -sum((a * b.ln() for a, b in zip(p, q, strict=True) if a), Decimal(0))


def squared(temperature):
    return Decimal(temperature) ** 2


def each(function, *columns):
    return [float(function(*row)) for row in zip(*columns, strict=True)]


def kd(student, teacher, temperature):
    def one(s, t):
        return squared(temperature) * divergence(softmax(t, temperature), softmax(s, temperature))

    return each(one, student, teacher)


def kd_mean(student, teacher, temperature):
    return [value / len(student[0]) for value in kd(student, teacher, temperature)]


def logit_regression(student, teacher):
    def one(s, t):
        return sum((Decimal(a) - Decimal(b)) ** 2 for a, b in zip(s, t, strict=True)) / 2

    return each(one, student, teacher)


def label_smoothing(student, labels, alpha):
    def one(s, label):
        share = Decimal(alpha) / len(s)
        return cross_entropy([share + (1 - Decimal(alpha)) * (k == label) for k in range(len(s))], softmax(s))

    return each(one, student, labels)


def label_smoothing_tfkd(student, labels, alpha):
    def one(s, label):
        wrong = Decimal(alpha) / (len(s) - 1)
        return cross_entropy([1 - Decimal(alpha) if k == label else wrong for k in range(len(s))], softmax(s))

    return each(one, student, labels)


def virtual_teacher(student, labels, correct, temperature, form):
    correct = Decimal(correct)

    def one(s, label):
        teacher = [correct if k == label else (1 - correct) / (len(s) - 1) for k in range(len(s))]
        if form == "released":
            return divergence(softmax(teacher, temperature), softmax(s))
        return divergence(softmax([p.ln() for p in teacher], temperature), softmax(s, temperature))

    return each(one, student, labels)


def true_and_rest(values, label, temperature):
    p = softmax(values, temperature)
    rest = [a for k, a in enumerate(p) if k != label]
    return p[label], rest, sum(rest)


def tckd(student, teacher, labels, temperature):
    def one(s, t, label):
        (p, _, p_rest), (q, _, q_rest) = (true_and_rest(v, label, temperature) for v in (t, s))
        return squared(temperature) * divergence([p, p_rest], [q, q_rest])

    return each(one, student, teacher, labels)


def nckd(student, teacher, labels, temperature):
    def one(s, t, label):
        (_, p, p_rest), (_, q, q_rest) = (true_and_rest(v, label, temperature) for v in (t, s))
        return squared(temperature) * divergence([a / p_rest for a in p], [a / q_rest for a in q])

    return each(one, student, teacher, labels)


def dkd(student, teacher, labels, alpha, beta, temperature):
    target = tckd(student, teacher, labels, temperature)
    others = nckd(student, teacher, labels, temperature)
    return [alpha * a + beta * b for a, b in zip(target, others, strict=True)]


def cwtm(student, teacher, labels):
    sure = [max(softmax(t)) for t in teacher]
    losses = [-softmax(s)[label].ln() for s, label in zip(student, labels, strict=True)]
    return [float(w * len(sure) / sum(sure) * loss) for w, loss in zip(sure, losses, strict=True)]


def generalised(student, teacher, temperature):
    return each(lambda s, t: cross_entropy(softmax(t, temperature), softmax(s)), student, teacher)


def entropy(values, temperature=1):
    """Of softmax(values / T): where cross-entropy with it has its minimum."""
    p = softmax(values, temperature)
    return float(cross_entropy(p, p))
