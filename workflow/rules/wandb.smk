rule wandb:
    input:
        "results/{scale}/tables/metrics.parquet",
    output:
        "results/{scale}/wandb/export.json",
    log:
        "results/{scale}/logs/wandb.log",
    conda:
        "../../environment.yml"
    params:
        mode=PLAN.config.wandb or os.environ.get("WANDB_MODE") or "offline",
        source=sources.digest(["reparam.tracking.export"]),
    shell:
        "exec python -m reparam.cli wandb --scale {wildcards.scale} --mode {params.mode} >{log} 2>&1"
