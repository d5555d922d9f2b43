#!/usr/bin/env bash
# Train the model of a config, or go on training it from its last checkpoint.
#
# usage: scripts/train.sh CONFIG [options] [fairseq-train flags]
#
#   CONFIG              a YAML file that scripts/prepare.sh has prepared
#   --dry-run           print the command and stop
#   --grow-from CKPT    start as the shallower model of this checkpoint
#   --gpus N            GPUs in all (default: those of this machine, or its CPU if there is none)
#   --gpus-per-node N   GPUs on each machine (default: its own; with --gpus 8, or all)
#   --nodes N           machines (default: as many as --gpus needs)
#   --master HOST[:PORT]  where several machines meet, the same on each (default port: 29500)
#   --node-rank R       this machine's number, from 0; only if the first does not know itself as HOST
#   --processes N       train on the CPU, with so many processes in all
#
# With more than one process the command is torchrun's. In a config that says tokens_per_update, --update-freq and, if need be, less than
# its max-tokens make up for the number of GPUs, so that an update has the same tokens on any. Half precision is left out on the CPU.
#
# --grow-from begins a training with what a model of fewer layers has learnt, of the same sizes, vocabulary and residual scheme: encoder and
# decoder each have the same number of layers as that one's or a multiple of it. New layers, which do nothing yet, stand between the old ones.
# The model at the start goes to grown.pt, beside the checkpoints, and fairseq-train gets it as --finetune-from-model: learning rate and
# optimizer start anew. A training that has begun goes on from its own last checkpoint.
#
# Flags after CONFIG that are not among these go to fairseq-train as they are and win over the config's. The whole command is printed
# before it runs. Checkpoints, train.log and tensorboard/ (see the loss with: tensorboard --logdir runs) go to the config's work_dir. An
# interrupted training goes on from its last checkpoint; a finished one is left as it is. SIGUSR1, sent to fairseq-train, ends it at its
# next update with a checkpoint.
#
# example: scripts/train.sh configs/cldr/cldr_quickstart.yaml --seed 2
# example: two machines with 8 GPUs each, which share this folder; on both of them
#   scripts/train.sh configs/wmt17/wmt17_en_de_100l_100l.yaml --nodes 2 --master node1:29500
# example: 20 layers per side that begin as 10
#   scripts/train.sh configs/iwslt14/iwslt14_de_en_20l_20l.yaml --grow-from runs/iwslt14_de_en_10l_10l/checkpoints/checkpoint_best.pt
# Slurm starts it on all machines of a job: scripts/slurm/train.sbatch.
set -euo pipefail

main() {
  local root
  trap '' USR1 # which would end what runs before fairseq-train listens to it; what is ignored here is ignored there
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_command train "$0" "$@"
}

main "$@"
