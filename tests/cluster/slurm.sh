#!/usr/bin/env bash
# A Slurm of two nodes on this one machine, for tests. Needs root and Debian's packages
# slurmctld, slurmd and munge; no database, so states of jobs are asked of squeue.
#
#   tests/cluster/slurm.sh start FOLDER    start it; its files go into FOLDER, and
#                                          /etc/slurm/slurm.conf becomes a link to its settings
#   tests/cluster/slurm.sh stop FOLDER     stop what "start FOLDER" has started
set -euo pipefail

folder=$(realpath -m "$2")
settings=$folder/slurm.conf

start() {
    if [ -e /etc/slurm/slurm.conf ] || [ -L /etc/slurm/slurm.conf ]; then
        echo "a Slurm is configured here already: /etc/slurm/slurm.conf" >&2
        exit 1
    fi
    mkdir -p "$folder/state" "$folder/munge"
    # A key and a socket of its own, so that a Munge that runs here already is left alone.
    head -c 1024 /dev/urandom >"$folder/munge/key"
    chown -R munge:munge "$folder/munge"
    chmod 711 "$folder" "$folder/munge"
    chmod 400 "$folder/munge/key"
    runuser -u munge -- munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
        --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" \
        --seed-file="$folder/munge/seed"

    local host memory
    host=$(hostname -s)
    memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
    cat >"$settings" <<CONF
ClusterName=test
SlurmctldHost=$host(localhost)
SlurmUser=root
SlurmctldPort=16817
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
# So long a finished job can be asked for.
MinJobAge=600
# So long a job has between the signal to end and being killed.
KillWait=5
ReturnToService=2
NodeName=one NodeHostname=$host NodeAddr=localhost Port=16818 CPUs=2 RealMemory=$memory
NodeName=two NodeHostname=$host NodeAddr=localhost Port=16819 CPUs=2 RealMemory=$memory
PartitionName=all Nodes=one,two Default=YES MaxTime=60 DefaultTime=5 State=UP
CONF
    ln -s "$settings" /etc/slurm/slurm.conf
    slurmctld
    for node in one two; do
        mkdir -p "$folder/spool-$node"
        slurmd -N "$node"
    done
    for _ in $(seq 60); do
        [ "$(sinfo --noheader --format %t | sort -u)" = idle ] && return
        sleep 0.5
    done
    echo "Slurm's nodes did not start: see the logs in $folder" >&2
    exit 1
}

stop() {
    for pid in "$folder"/slurmd-*.pid "$folder/slurmctld.pid" "$folder/munge/pid"; do
        if [ -f "$pid" ]; then kill "$(cat "$pid")" || true; fi
    done
    if [ "$(readlink /etc/slurm/slurm.conf)" = "$settings" ]; then rm /etc/slurm/slurm.conf; fi
}

"$1"
