"""A job without a defect whose items are worked on by two processes."""

import json

import milepost


def squared(number: int) -> int:
    return number * number


if __name__ == "__main__":
    with milepost.Phase("squares") as phase:
        results = phase.map(squared, [1, 2, 3, 4], key=str, executor="processes", workers=2)
        total = phase.complete(sum, results.values())
    milepost.write_durably("out.json", json.dumps(total).encode())
