"""Points read by eye from Fig 3d, tolerance not stated: potential → length → bound in nats (planar flows)."""

FIG3D = {
    1: {2: 0.05, 8: -0.2, 32: -0.25},
    2: {2: -0.65, 8: -1.05, 32: -1.25},
    3: {2: -0.3, 8: -0.9, 32: -1.1},
}
