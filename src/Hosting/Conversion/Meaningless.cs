namespace Streaming.Hosting.Conversion;

/// <summary>Settings of other programs that mean nothing here, and why.</summary>
internal static class Meaningless
{
    private const string
        OneGpu = "one process trains on one GPU",
        Hub = "nothing is sent to the hub or taken from it",
        Compiled = "kernels are written for the model and compiled at the start",
        NoDataset = "text streams in: no data set is built, kept or loaded by workers",
        Shown = "progress is shown as the terminal or log.format wants it",
        Always = "it is so always",
        Library = "it steers a library that is not used",
        Rank = "one process trains, and it logs, saves and evaluates";

    /// <summary>Of <c>run_clm.py</c> and TrainingArguments.</summary>
    public static IReadOnlyDictionary<string, string> Trainer { get; } = Table(
        ("training and evaluation are commands of their own: train, evaluate", "do_train do_eval do_predict"),
        (OneGpu, "local_rank ddp_backend ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_timeout ddp_timeout_delta fsdp fsdp_config fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap sharded_ddp parallelism_config accelerator_config tpu_num_cores tpu_metrics_debug split_batches dispatch_batches xpu_backend use_ipex use_mps_device past_index average_tokens_across_devices use_liger_kernel liger_kernel_config"),
        (Hub, "push_to_hub push_to_hub_model_id push_to_hub_organization push_to_hub_token hub_model_id hub_strategy hub_token hub_private_repo hub_always_push hub_revision token use_auth_token model_revision cache_dir trust_remote_code"),
        (Compiled, "torch_compile torch_compile_backend torch_compile_mode torchdynamo jit_mode_eval tf32 half_precision_backend fp16_opt_level fp16_backend bf16_full_eval fp16_full_eval gradient_checkpointing_kwargs"),
        (NoDataset, "dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_drop_last overwrite_cache streaming keep_linebreaks group_by_length length_column_name remove_unused_columns label_names data_seed ignore_data_skip train_sampling_strategy use_legacy_prediction_loop"),
        ("held-out text is evaluated in micro-batches of the training's size, for loss and perplexity alone", "per_device_eval_batch_size per_gpu_eval_batch_size eval_accumulation_steps prediction_loss_only include_inputs_for_metrics include_for_metrics include_num_input_tokens_seen eval_do_concat_batches batch_eval_metrics eval_use_gather_object eval_on_start eval_delay greater_is_better metric_for_best_model eval_on_each_node"),
        (Shown, "disable_tqdm log_level log_level_replica log_on_each_node run_name logging_first_step logging_nan_inf_filter debug skip_memory_metrics project trackio_space_id logging_dir"),
        (Always, "save_safetensors auto_find_batch_size use_fast_tokenizer low_cpu_mem_usage torch_empty_cache_steps restore_callback_states_from_checkpoint save_on_each_node"),
        ("a checkpoint holds all that resuming needs", "save_only_model"),
        ("the loss is the plain cross-entropy", "label_smoothing_factor neftune_noise_alpha"),
        ("the optimizer is one of this program's", "adafactor optim_args optim_target_modules"),
        ("the tokenizer's own model file decides", "tokenizer_revision"),
        (Rank, "mp_parameters deepspeed_multinode_launcher"),
        ("its file is given by --deepspeed", "deepspeed deepspeed_config"));

    /// <summary>Of a DeepSpeed file and its sections.</summary>
    public static IReadOnlyDictionary<string, string> DeepSpeed { get; } = Table(
        (OneGpu, "allgather_partitions allgather_bucket_size reduce_scatter reduce_bucket_size round_robin_gradients overlap_comm contiguous_gradients communication_data_type seq_parallel_communication_data_type prescale_gradients gradient_predivide_factor sparse_gradients disable_allgather comms_logger zero_hpz_partition_size zero_quantized_weights zero_quantized_gradients zero_quantized_nontrainable_weights mics_shard_size mics_hierarchical_params_gather memory_efficient_linear elasticity pipeline load_from_fp32_weights ignore_unused_parameters data_types"),
        ("what is streamed, and how much at a time, is planned by the program (streaming plan)", "sub_group_size stage3_prefetch_bucket_size stage3_param_persistence_threshold stage3_model_persistence_threshold stage3_max_live_parameters stage3_max_reuse_distance stage3_use_all_reduce_for_fetch_params stage3_module_granularity_threshold"),
        ("every checkpoint holds whole weights, for Transformers as they are", "stage3_gather_16bit_weights_on_model_save stage3_gather_fp16_weights_on_model_save elastic_checkpoint checkpoint"),
        ("metrics are served for Prometheus and written to metrics.jsonl; log.tensorboard writes TensorBoard's files", "steps_per_print wall_clock_breakdown dump_state flops_profiler memory_breakdown tensorboard wandb csv_monitor comet monitor_config"),
        ("training.recompute says what the backward pass computes again", "activation_checkpointing"),
        (Library, "aio autotuning amp zero_allow_untested_optimizer zero_force_ds_cpu_optimizer compression_training sparse_attention data_efficiency curriculum_learning compile hybrid_engine legacy_stage1 use_node_local_storage"),
        ("gradients are summed in float32", "grad_accum_dtype fp32_allreduce"),
        (Compiled, "kernel_inject replace_with_kernel_inject"));

    private static Dictionary<string, string> Table(params (string Why, string Names)[] rows) =>
        rows.SelectMany(row => row.Names.Split(' ').Select(name => (name, row.Why))).ToDictionary();
}
