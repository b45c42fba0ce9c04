# One job per pack of cells (cells_per_job in the configuration: starting a process costs more than a short
# cell). A job trains only the seeds that its cells' folders lack (same spec, same source), so one that is
# repeated because a check before it was repeated loses nothing. The checks are not `ancient`: with one of them
# due, Snakemake 9 would not look at the job's own parameters.
# The folders of cells are not declared as outputs: Snakemake deletes the outputs of a job that failed.
# Checkpoints live in results/.work and outlive a killed job.


rule train:
    input:
        checks_before,
    output:
        "results/{scale}/jobs/{job}.json",
    log:
        "results/{scale}/logs/{job}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=min(GPUS, 1),
        device="cuda" if GPUS else "cpu",
    params:
        cells=lambda wildcards: " ".join(
            f"results/{wildcards.scale}/{cell.path}" for cell in PACKS[wildcards.job]
        ),
        seeds=(
            "--seeds " + "".join(f"{seed}," for seed in sorted(PLAN.config.seeds))
            if PLAN.config.seeds
            else ""
        ),
        specs=lambda wildcards: "\n".join(
            f"{canonical(cell.spec)} {cell.seeds} {CELL_SOURCES[cell.path]}"
            for cell in PACKS[wildcards.job]
        ),
    shell:
        "rm -f results/{wildcards.scale}/jobs/judged;"
        " exec python -m reparam.cli cell {params.cells} {params.seeds}"
        " --device {resources.device} --output {output} >{log} 2>&1"
