using Microsoft.Extensions.Logging;
using Streaming.Hosting.Configuration.Hocon;
using Streaming.Hosting.Metrics;
using Streaming.Hosting.Terminal;
using Streaming.Model;
using Streaming.Model.Engines;
using Streaming.Streams;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Instructions;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace Streaming.Hosting.Configuration;

/// <summary>
/// Every key below <c>streaming</c>, once: its type, range, built-in value and description. The comments of
/// <c>reference.conf</c> and <c>config.hocon</c>, the validation and the option records all come from here.
/// Below <c>akka</c> anything is allowed and handed to Akka as it is.
/// </summary>
internal static partial class Keys
{
    private static readonly List<Key> _all = [];

    /// <summary>Every key, in the order of <c>reference.conf</c>.</summary>
    public static IReadOnlyList<Key> All => _all;

    // run

    public static readonly Key<string> RunDirectory = File("run.directory", "runs/sample", PathRole.Output,
        "Folder of the run: config.hocon (as resolved), checkpoints/, metrics.jsonl, logs/. Made where it is missing.",
        recipe: "output_dir");

    public static readonly Key<string> Resume = File("run.resume", "auto", PathRole.Output, ["auto", "never"],
        "auto goes on from the newest whole checkpoint in the run's folder, or starts where there is none; never starts anew; a checkpoint's folder goes on from that one.",
        recipe: "resume_from_checkpoint");

    public static readonly Key<TimeSpan> ShutdownTimeout = Duration("run.shutdown-timeout", "60s", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1),
        "After SIGTERM or Ctrl-C: time to finish the step and to write a checkpoint. systemd's TimeoutStopSec must be longer.");

    public static readonly Key<TimeSpan> WatchdogTimeout = Duration("run.watchdog-timeout", "1h", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1000),
        "Time without a step, an evaluation or a checkpoint after which the process ends with code 124, so that whoever watches it starts it again. Must be longer than the start and the longest step.");

    public static readonly Key<bool> RecordTokens = Switch("run.record-tokens", "false",
        "Write the tokens of every step to tokens.bin in the run's folder, 4 bytes each, to compare runs token by token (streaming prove-resume does).");

    // faults

    public static readonly Key<string> FaultPlan = Add(new TextKind("none or a list of KIND@STEP"), "faults.plan", "none",
        "Faults that happen by themselves, to see what follows from them: KIND@STEP, KIND@STEPxTIMES, random*COUNT@FIRST-LAST, separated by commas (docs/failures.md lists the kinds). For tests alone.");

    public static readonly Key<long> FaultSeed = Integer("faults.plan-seed", "1", 0, int.MaxValue,
        "Seed of the faults that a plan draws.");

    // model

    public static readonly Key<string> ModelConfig = File("model.config", "models/mistral-sample/config.json", PathRole.Input,
        "Shape of the model: a Mistral config.json as Transformers writes it.",
        recipe: "config_name");

    public static readonly Key<string> Weights = File("model.weights", "random", PathRole.Input, ["random"],
        "Weights to start from: drawn from training.seed, or a folder with model.safetensors as Transformers writes it, or with LoRA adapters as PEFT does, which are merged into the model that they name (train --base sets this, model.config and data.tokenizer at once).",
        recipe: "model_name_or_path");

    // data

    public static readonly Key<IReadOnlyList<SourceEntry>> Sources = Add(new SourcesKind(), "data.sources", "[samples/corpus-ja.txt]",
        "Text to train on: files, folders, globs (data/*.xz, sorted by name), http(s) URLs or \"-\" for standard input; plain, gzip, bzip2, xz or zstd, told by content. "
        + "Paths alone form one source, read in this order. Several sources are mixed by weight, counted in tokens: "
        + "{name = wikipedia, path = jawiki-latest-pages-articles.xml.bz2, kind = wikipedia, weight = 0.3, epochs = 2, cleaning = wikipedia}. "
        + "kind is lines (a line a paragraph, an empty line between documents), wikipedia (a MediaWiki export), jsonl or parquet (text-field names the text's field, text where left out) or auto (by name); "
        + "name is needed; weight is 1; epochs, cleaning and duplicates are those of all sources where left out.",
        recipe: "train_file");

    public static readonly Key<bool> HoldsInstructions = Add(new ChoiceKind<bool>(("text", false), ("instructions", true)), "data.format", "text",
        "What the sources hold: running text, or records of instructions with their answers (docs/instructions.md), which are neither normalised nor cleaned, packed whole, and do not see each other.");

    public static readonly Key<string> Tokenizer = File("data.tokenizer", "samples/tokenizer.model", PathRole.Input,
        "SentencePiece model (unigram or byte pairs) or a tokenizer.json of Hugging Face; its vocabulary must fit the model's vocab_size.",
        recipe: "tokenizer_name");

    public static readonly Key<bool> Normalize = Switch("data.normalize", "true",
        "Normalise as neologdn does and split into sentences; false takes each line as it is.");

    public static readonly Key<bool> AppendEndOfSentence = Switch("data.append-end-of-sentence", "true",
        "Append the tokenizer's end-of-sentence id after each line.");

    public static readonly Key<long> BlockSize = Integer("data.block-size", "128", 2, 1 << 20,
        "Length of one training sequence; at most the model's max_position_embeddings.",
        unit: "tokens", recipe: "block_size");

    public static readonly Key<double> ValidationFraction = Add(new NumberKind(0, 1, belowMaximum: true), "data.validation-fraction", "0.05",
        "Share of the text that is held out for evaluation; 0 holds out none.",
        unit: "share", recipe: "validation_split_percentage (in percent)");

    public static readonly Key<ValidationRule> HeldOutRule = Add(
        new ChoiceKind<ValidationRule>(("hash", ValidationRule.Hash), ("tail", ValidationRule.Tail)), "data.validation-rule", "hash",
        "Which text is held out: documents chosen by a hash of their first line, or the last share of each file (its length must be known: plain files, xz, zstd).");

    public static readonly Key<Preset<CleaningOptions>> Cleaning = Add(CleaningKinds.Rules, "data.cleaning", "recipe",
        "Rules that drop lines and documents (docs/cleaning.md), for sources that say nothing of their own: recipe drops lines under 20 characters from Wikipedia and nothing else; "
        + "web and wikipedia are presets for such text; single thresholds are set upon a preset: {preset = web, minimum-line-characters = 10}.");

    public static readonly Key<Preset<DuplicateOptions>> Duplicates = Add(CleaningKinds.Duplicates, "data.duplicates", "off",
        "Text that stood earlier in the same source and epoch goes: web drops equal documents, near-equal ones (MinHash) and long equal lines; "
        + "single choices: {documents = true, near-documents = true, similarity = 0.8, bands = 14, lines = true, line-characters = 30, memory-bytes = 268435456}. The memory is that of one source's index.");

    public static readonly Key<string> RejectedFile = File("data.rejected-file", "none", PathRole.Output, ["none"],
        "File to which all that cleaning drops is appended for review, a JSON object a line with source, place, reason and text.");

    public static readonly Key<long> ShuffleDocuments = Integer("data.shuffle-documents", "0", 0, 10_000_000,
        "Documents of a source that are put in another order at a time, by training.seed; 0 keeps the order of the text. Files too are read in another order each epoch.",
        unit: "documents", recipe: "shuffle(buffer_size)");

    public static readonly Key<long> ShuffleMegabytes = Integer("data.shuffle-megabytes", "64", 1, 65_536,
        "Tokens that are put in another order at a time at most, whatever the number of documents; there are two such windows in memory for each source.",
        unit: "MiB");

    public static readonly Key<bool> DocumentMask = Switch("data.document-mask", "false",
        "Attention does not cross from one document to the next, and the first token of a document is not predicted from the one before it; false joins documents as the recipe does.");

    public static readonly Key<long> Epochs = Integer("data.epochs", "0", 0, 1_000_000,
        "Passes over a source that says nothing of its own, after which it leaves the mix; 0 repeats for ever, until max-steps.",
        unit: "passes", recipe: "num_train_epochs");

    public static readonly Key<long> Workers = Integer("data.workers", "0", 0, 1024,
        "Tokenisations under way at once; 0 takes one for each core. The batches do not depend on it.",
        unit: "tasks", recipe: "preprocessing_num_workers");

    public static readonly Key<long> QueueCapacity = Integer("data.queue-capacity", "8", 1, 65_536,
        "Batches that wait for the trainer at most; when they do, reading stops.",
        unit: "batches", recipe: "dataloader_prefetch_factor");

    public static readonly Key<string> HttpCache = File("data.http-cache", "none", PathRole.Output, ["none"],
        "Folder in which what comes over HTTP is kept for later epochs and runs.");

    public static readonly Key<string> TokenCache = File("data.token-cache", "none", PathRole.Output, ["none"],
        "Folder in which the blocks of each source are kept as they stream by, so that later epochs read them in an order shuffled over the whole source, and resumes at the disk's speed; two or four bytes a token.");

    // instructions

    public static readonly Key<string> PromptWithInput = Add(new TextKind("text that holds {instruction} and {input}"), "instructions.prompt-with-input",
        HoconWriter.Quote(InstructionTemplate.Recipe.WithInput),
        "Form of a prompt up to its answer, for records with an input. A begin, end or padding piece of the tokenizer that is spelled out here stands for its token. Checkpoints carry both forms: generate, serve and evaluate ask in them.",
        recipe: "INPUT_PROMPT");

    public static readonly Key<string> PromptWithoutInput = Add(new TextKind("text that holds {instruction}"), "instructions.prompt-without-input",
        HoconWriter.Quote(InstructionTemplate.Recipe.WithoutInput),
        "The same for records without one.",
        recipe: "NO_INPUT_PROMPT");

    public static readonly Key<bool> LossOnAnswer = Add(new ChoiceKind<bool>(("answer", true), ("all", false)), "instructions.loss", "answer",
        "What is predicted: the answer with its end, or the prompt too, as the recipe does.");

    public static readonly Key<LongRecords> LongRecords = Add(
        new ChoiceKind<LongRecords>(("cut", Streams.Instructions.LongRecords.Cut), ("drop", Streams.Instructions.LongRecords.Drop)), "instructions.longer-than-block", "cut",
        "What becomes of a record that is longer than data.block-size: its answer is cut at its end, or the record is left out, as one is in any case whose prompt alone fills a block. Both are counted.");

    public static readonly Key<string> InstructionField = Add(new TextKind("a name, or names with dots between them", FieldForm()), "instructions.instruction-field", "instruction",
        "Field of a record that says what to do.");

    public static readonly Key<string> InputField = Add(new TextKind("a name, or names with dots between them", FieldForm()), "instructions.input-field", "input",
        "Field with the text that the instruction is about; a record may lack it.");

    public static readonly Key<string> OutputField = Add(new TextKind("a name, or names with dots between them", FieldForm()), "instructions.output-field", "output",
        "Field with the answer.");

    public static readonly Key<double> InstructionsHeldOut = Add(new NumberKind(0, 1, belowMaximum: true), "instructions.validation-fraction", "0.1",
        "Share of the records that is held out for evaluation, by data.validation-rule; it takes the place of data.validation-fraction.",
        unit: "share", recipe: "validation_split_percentage (in percent)");

    public static readonly Key<bool> ShuffleInstructions = Switch("instructions.shuffle", "true",
        "Put the records in another order each epoch, by training.seed: all of them, as far as data.shuffle-megabytes go.");

    // tokenizer

    public static readonly Key<string> TokenizerDirectory = File("tokenizer.directory", "runs/tokenizer", PathRole.Output,
        "Folder for a tokenizer that \"streaming tokenizer train\" makes from data.sources: tokenizer.model and the files that Transformers reads. Made where it is missing.");

    public static readonly Key<long> VocabularySize = Integer("tokenizer.vocab-size", "50000", 261, 1_000_000,
        "Pieces of the tokenizer, special ones and bytes included; at most what the text holds.",
        unit: "pieces", recipe: "vocab_size (SentencePiece)");

    public static readonly Key<double> CharacterCoverage = Add(new NumberKind(0, 1, aboveMinimum: true), "tokenizer.character-coverage", "0.9995",
        "Share of the text's characters that get a piece of their own, the most frequent first.",
        unit: "share", recipe: "character_coverage (SentencePiece)");

    public static readonly Key<bool> ByteFallback = Switch("tokenizer.byte-fallback", "true",
        "Characters without a piece become the pieces of their UTF-8 bytes; false makes them unknown.");

    public static readonly Key<bool> AddDummyPrefix = Switch("tokenizer.add-dummy-prefix", "false",
        "Put a space before every text.");

    public static readonly Key<long> InputSentenceSize = Integer("tokenizer.input-sentence-size", "12000000", 0, int.MaxValue / 2,
        "Sentences that the tokenizer is trained on at most, drawn evenly from all by training.seed; 0 takes all, and as much memory.",
        unit: "sentences", recipe: "input_sentence_size (SentencePiece)");

    public static readonly Key<long> MaxPieceLength = Integer("tokenizer.max-piece-length", "16", 1, 255,
        "Length of a piece at most.",
        unit: "characters", recipe: "max_sentencepiece_length (SentencePiece)");

    // training

    public static readonly Key<long> BatchSize = Integer("training.per-device-train-batch-size", "8", 1, 65_536,
        "Sequences in a micro-batch, the part of a step that is on the device at once.",
        unit: "sequences", recipe: "per_device_train_batch_size");

    public static readonly Key<long> GradientAccumulationSteps = Integer("training.gradient-accumulation-steps", "1", 1, 65_536,
        "Micro-batches in one optimiser step.",
        unit: "micro-batches", recipe: "gradient_accumulation_steps");

    public static readonly Key<long> MaxSteps = Integer("training.max-steps", "300", 1, long.MaxValue,
        "Optimiser steps of the run.",
        unit: "steps", recipe: "max_steps");

    public static readonly Key<double> LearningRate = Add(new NumberKind(0, 10, aboveMinimum: true), "training.learning-rate", "2e-3",
        "Highest learning rate, reached after the warm-up.",
        recipe: "learning_rate");

    public static readonly Key<ScheduleKind> Schedule = Add(
        new ChoiceKind<ScheduleKind>(("cosine", ScheduleKind.Cosine), ("linear", ScheduleKind.Linear), ("constant", ScheduleKind.Constant), ("warmup-stable-decay", ScheduleKind.WarmupStableDecay)),
        "training.lr-scheduler-type", "cosine",
        "Shape of the learning rate after the warm-up.",
        recipe: "lr_scheduler_type");

    public static readonly Key<long> WarmupSteps = Integer("training.warmup-steps", "20", 0, long.MaxValue,
        "Steps in which the learning rate rises from 0.",
        unit: "steps", recipe: "warmup_steps");

    public static readonly Key<double> MinimumLearningRateRatio = Add(new NumberKind(0, 1), "training.min-lr-ratio", "0.1",
        "Share of the learning rate that remains at the end of the schedule.",
        unit: "share", recipe: "lr_scheduler_kwargs.min_lr_rate");

    public static readonly Key<OptimizerKind> Optimizer = Add(
        new ChoiceKind<OptimizerKind>(("adamw", OptimizerKind.AdamW), ("adamw-8bit", OptimizerKind.AdamW8Bit), ("muon", OptimizerKind.Muon)),
        "training.optimizer", "adamw",
        "What updates the weights: adamw; adamw-8bit, whose moments take 2 bytes a parameter instead of 8 (those of the token embedding and of the norms stay in float32); muon for the layers' matrices, with adamw for the rest, at the same learning rate and decay.",
        recipe: "optim");

    public static readonly Key<long?> LoraRank = Add(new RankKind(), "training.lora.rank", "none",
        "Tune the model of model.weights by LoRA (docs/lora.md): it stays as it is, and of the layers' matrices so many columns and rows, which are added to them, are trained; none trains the model itself.",
        unit: "rows and columns", recipe: "peft: LoraConfig.r");

    public static readonly Key<double> LoraAlpha = Add(new NumberKind(0, 1_000_000, aboveMinimum: true), "training.lora.alpha", "16",
        "What is added counts alpha / rank.",
        recipe: "peft: LoraConfig.lora_alpha");

    public static readonly Key<double> LoraDropout = Add(new NumberKind(0, 1, belowMaximum: true), "training.lora.dropout", "0",
        "Share of the adapters' inputs that a training pass leaves out, at random; above 0 the reference engine computes.",
        unit: "share", recipe: "peft: LoraConfig.lora_dropout");

    public static readonly Key<IReadOnlyList<string>> LoraTargets = Add(new TargetModulesKind(), "training.lora.target-modules", "all-linear",
        "Matrices of each layer that are added to; [q_proj, v_proj] is what LoRA's authors took.",
        recipe: "peft: LoraConfig.target_modules");

    public static readonly Key<OffloadLevel?> Offload = Add(
        new ChoiceKind<OffloadLevel?>(("none", OffloadLevel.None), ("optimizer", OffloadLevel.Optimizer), ("parameters", OffloadLevel.Parameters), ("auto", null)),
        "training.offload", "none",
        "What of the training state lives in page-locked host memory (docs/offload.md): nothing; optimizer, master weights and moments, which travel through the GPU at each update; parameters, weights and gradients too, two layers on the GPU at a time (with training.lora the weights alone). auto takes what is fastest of what fits, and says so; streaming plan shows all of them.",
        recipe: "deepspeed: zero_optimization.offload_optimizer, offload_param");

    public static readonly Key<Recomputation?> Recompute = Add(
        new ChoiceKind<Recomputation?>(("none", Recomputation.None), ("attention", Recomputation.Attention), ("layer", Recomputation.Layer), ("host", Recomputation.Host), ("auto", null)),
        "training.recompute", "none",
        "What of a layer the backward pass computes again instead of keeping it: nothing; attention, a third of a layer's memory at this model's shape; layer, all but the norms' inputs; host, likewise, and those wait in page-locked host memory until the backward pass comes to the layer. auto chooses as training.offload does.",
        recipe: "gradient_checkpointing");

    public static readonly Key<long?> MemoryLimit = Add(new SizeKind(), "training.memory-limit", "none",
        "Device memory that the run may take, 12GiB for example, libraries included; none: what is free on the card. What needs more is refused, or avoided where training.offload or training.recompute is auto. Where optimizer state is in host memory, some of what is free holds pieces of it that come in ahead.");

    public static readonly Key<double> Beta1 = Add(new NumberKind(0, 1, belowMaximum: true), "training.adam-beta1", "0.9",
        "AdamW: decay of the running mean of the gradient.",
        recipe: "adam_beta1");

    public static readonly Key<double> Beta2 = Add(new NumberKind(0, 1, belowMaximum: true), "training.adam-beta2", "0.95",
        "AdamW: decay of the running mean of the squared gradient.",
        recipe: "adam_beta2");

    public static readonly Key<double> Epsilon = Add(new NumberKind(0, 1, aboveMinimum: true), "training.adam-epsilon", "1e-8",
        "AdamW: added to the root of the second moment.",
        recipe: "adam_epsilon");

    public static readonly Key<double> WeightDecay = Add(new NumberKind(0, 10), "training.weight-decay", "0.1",
        "AdamW: decoupled decay of the weights, times the learning rate.",
        recipe: "weight_decay");

    public static readonly Key<DecayTarget> Decay = Add(
        new ChoiceKind<DecayTarget>(("all", DecayTarget.All), ("matrices", DecayTarget.Matrices)),
        "training.weight-decay-targets", "all",
        "What decays: all parameters, as in the recipe, or matrices only, which spares the norms' weights.");

    public static readonly Key<double> MaxGradientNorm = Add(new NumberKind(0, double.PositiveInfinity), "training.max-grad-norm", "1.0",
        "Global gradient norm above which gradients are scaled down to it; 0 never clips.",
        recipe: "max_grad_norm");

    public static readonly Key<long> LoggingSteps = Integer("training.logging-steps", "10", 1, 1_000_000,
        "Steps between two lines of progress where output is not a terminal, and between two points for TensorBoard; metrics.jsonl has a line a step.",
        unit: "steps", recipe: "logging_steps");

    public static readonly Key<long> EvalSteps = Integer("training.eval-steps", "100", 0, long.MaxValue,
        "Steps between evaluations on held-out text; 0 evaluates at the end only.",
        unit: "steps", recipe: "eval_steps");

    public static readonly Key<long> EvalBatches = Integer("training.eval-batches", "8", 1, 1_000_000,
        "Held-out micro-batches in an evaluation, at most.",
        unit: "micro-batches", recipe: "max_eval_samples (in samples)");

    public static readonly Key<long> SaveSteps = Integer("training.save-steps", "100", 0, long.MaxValue,
        "Steps between checkpoints; 0 writes only the last one.",
        unit: "steps", recipe: "save_steps");

    public static readonly Key<double> SaveMinutes = Add(new NumberKind(0, 100_000), "training.save-minutes", "0",
        "Time between checkpoints, beside save-steps; 0 counts steps alone.",
        unit: "minutes");

    public static readonly Key<long> SaveTotalLimit = Integer("training.save-total-limit", "3", 0, 1_000_000,
        "Checkpoints that are kept, the newest, and the best by validation loss; 0 keeps all.",
        unit: "checkpoints", recipe: "save_total_limit");

    public static readonly Key<bool> LoadBestAtEnd = Switch("training.load-best-model-at-end", "false",
        "Each evaluation better than all before is kept in a checkpoint, to which checkpoints/best points, and the best weights are loaded when the steps are done; false lets best point at the best of those that were evaluated.",
        recipe: "load_best_model_at_end");

    public static readonly Key<long> MaxRollbacks = Integer("training.max-rollbacks", "3", 0, 1000,
        "Returns to the last checkpoint after a failure (a loss that is not a number, say), in a row and without getting past the failed step, before the run fails (docs/failures.md).",
        unit: "returns");

    public static readonly Key<TimeSpan> RestartDelay = Duration("training.restart-delay", "1s", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1),
        "Wait before the first of those returns, where waiting may help; doubled with each further one, up to a minute.");

    public static readonly Key<double> SpikeZScore = Add(new NumberKind(0, 1000), "training.spike-z-score", "10",
        "A loss so many standard deviations above the mean of the last steps, and a nat above the highest of them, is a spike (a gradient's norm likewise: by logarithms, and ten times the highest): the run returns to the last checkpoint and leaves out the text that led to it, as it does after a loss that is not a number; 0 looks for none.",
        unit: "standard deviations");

    public static readonly Key<long> SpikeWindow = Integer("training.spike-window", "64", 2, 10_000,
        "Steps that mean and standard deviation are taken over; before so many there is no spike.",
        unit: "steps");

    public static readonly Key<long> SpikeSkipSteps = Integer("training.spike-skip-steps", "1", 1, 10_000,
        "Steps whose text is left out then: the step of the spike and those before it. The run returns to a checkpoint before all of them, or to the newest where none is kept, behind which the rest is left out. skipped.jsonl of the run names their documents.",
        unit: "steps");

    public static readonly Key<long> Seed = Integer("training.seed", "42", 0, int.MaxValue,
        "Seed of the initial weights and of everything drawn at random.",
        recipe: "seed");

    // sample

    public static readonly Key<string> SamplePrompt = Add(new TextKind("text"), "sample.prompt", "\"日本の\"",
        "Text that the model continues at the end of the run; \"\" generates none.");

    public static readonly Key<long> SampleTokens = Integer("sample.max-new-tokens", "60", 1, 1 << 20,
        "Length of that continuation.",
        unit: "tokens", recipe: "max_new_tokens");

    // torch

    public static readonly Key<string> Device = Add(new TextKind("auto, cpu or cuda:N", DeviceForm()), "torch.device", "auto",
        "What computes; auto takes cuda:0 where libtorch finds a GPU, the CPU elsewhere.",
        recipe: "use_cpu");

    public static readonly Key<Precision?> Compute = Add(
        new ChoiceKind<Precision?>(("auto", null), ("float32", Precision.Float32), ("bf16", Precision.BFloat16), ("fp16", Precision.Float16), ("fp8", Precision.Float8)),
        "torch.precision", "auto",
        "Type of activations and products; master weights are float32 always. auto takes bf16 where the GPU has it, float32 elsewhere; fp16 scales the loss against underflow, and skips steps whose gradient overflows; fp8 multiplies most of a layer in 8 bits (fused engine, Hopper or Ada).",
        recipe: "bf16, fp16");

    public static readonly Key<Precision> Residual = Add(
        new ChoiceKind<Precision>(("bf16", Precision.BFloat16), ("float32", Precision.Float32)),
        "torch.residual", "float32",
        "Type of the fused engine's residual stream, to which every layer adds: float32 rounds it nowhere, as Transformers under autocast; bf16 is 2 % faster.");

    public static readonly Key<string> Engine = Add(new ChoiceKind<string>(("auto", "auto"), ("fused", "fused"), ("reference", "reference")),
        "torch.engine", "auto",
        "Implementation of the model: fused kernels (CUDA only) or the readable reference; auto takes the fastest that the device has.");

    public static readonly Key<bool> Deterministic = Switch("torch.deterministic", "false",
        "Two runs on one GPU agree to the last bit, at a little less speed; on the CPU they always do.");

    public static readonly Key<string> Libtorch = File("torch.libtorch", "auto", PathRole.Input, ["auto", "bundled"],
        "libtorch to load: the one that came with the program (bundled, and auto), or the folder of an installed PyTorch (…/site-packages/torch).");

    // metrics

    public static readonly Key<bool> MetricsEnabled = Switch("metrics.enabled", "true",
        "Serve the run over HTTP: its page, its control interface (docs/steering.md), /metrics and /health.");

    public static readonly Key<string> MetricsHost = Add(new AddressKind(), "metrics.host", "127.0.0.1",
        "Address to listen on; \"*\" listens on all, where everybody may look and whoever has the token of control.token-file may change the run.");

    public static readonly Key<long> MetricsPort = Integer("metrics.port", "9464", 0, 65_535,
        "TCP port to listen on; 0 takes a free one and prints it.");

    public static readonly Key<GpuChoice> MetricsGpus = Add(new ChoiceKind<GpuChoice>(("own", GpuChoice.Own), ("all", GpuChoice.All), ("none", GpuChoice.None)),
        "metrics.gpus", "own",
        "GPUs whose utilisation, power, temperature and memory are told: the one that the run computes on, all of the machine, or none.");

    public static readonly Key<double> PeakTeraflops = Add(new NumberKind(0, 1_000_000), "metrics.peak-teraflops", "0",
        "What the device computes at most, against which model FLOPs utilisation (MFU) is told; 0 takes the dense bf16 peak of the GPU's data sheet, and tells none for a device that is not known.",
        unit: "10^12 operations a second");

    // control

    public static readonly Key<string> TokenFile = File("control.token-file", "auto", PathRole.Output, ["auto"],
        "File with the token, 16 characters or more, that commands from other machines must bring (Authorization: Bearer …). auto makes one that only this user can read: control.token in the run's folder.");

    // log

    public static readonly Key<LogFormat> LogFormat = Add(
        new ChoiceKind<LogFormat>(("auto", Terminal.LogFormat.Auto), ("text", Terminal.LogFormat.Text), ("json", Terminal.LogFormat.Json), ("journal", Terminal.LogFormat.Journal)),
        "log.format", "auto",
        "A line an event: text for people, json an object for containers, journal text with journald's levels; auto is journal under systemd and text elsewhere.");

    public static readonly Key<LogLevel> LogLevel = Add(
        new ChoiceKind<LogLevel>(("debug", Level.Debug), ("information", Level.Information), ("warning", Level.Warning), ("error", Level.Error)),
        "log.level", "information",
        "Least important level that is written; \"streaming set log-level debug\" changes it while the run goes on.");

    public static readonly Key<bool> TensorBoard = Switch("log.tensorboard", "false",
        "Write TensorBoard's event files too, into tensorboard/ of the run's folder.");
}
