# One job per cell. It trains only the seeds that its folder lacks (same spec, same source), so a job that is
# repeated because a check before it was repeated loses nothing. The checks are not `ancient`: with one of
# them due, Snakemake 9 would not look at the cell's own parameters.
# Checkpoints live in results/.work and outlive a killed job.


rule train:
    input:
        checks_before,
    output:
        report(
            "results/{scale}/{paper}/{experiment}/{estimator}/{cell}/manifest.json",
            caption="../captions/cell.rst",
            category="{paper}",
            subcategory="{experiment}",
            labels={"estimator": "{estimator}", "file": "manifest"},
        ),
    log:
        "results/{scale}/logs/{paper}/{experiment}/{estimator}/{cell}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=min(GPUS, 1),
        device="cuda" if GPUS else "cpu",
    params:
        spec=lambda wildcards: canonical(cell_of(wildcards).spec),
        seeds=lambda wildcards: "".join(
            f"{seed}," for seed in sorted(cell_of(wildcards).seeds)
        ),
        source=lambda wildcards: CELL_SOURCES[cell_of(wildcards).path],
    shell:
        "exec python -m reparam.cli cell $(dirname {output}) --seeds {params.seeds}"
        " --device {resources.device} >{log} 2>&1"
