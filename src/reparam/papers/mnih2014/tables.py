"""Table 1: bounds on MNIST test data in nats (10 samples averaged), negated; by experiment and label of ours."""

TABLE1 = {
    "sbn-layers1": {"nvil": 113.1},
    "wake-sleep-layers1": {"wake_sleep": 120.8},
    "sbn-layers2": {"nvil": 99.8},
    "wake-sleep-layers2": {"wake_sleep": 107.7},
    "sbn-layers3": {"nvil": 96.7},
    "wake-sleep-layers3": {"wake_sleep": 102.2},
}
