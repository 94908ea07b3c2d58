using Limbeck.Training.Compression;
using Limbeck.Training.Data.Corpus;
using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Jobs;

/// <summary>The settings of <c>limbeck compress</c>: TinyBERT's general or task distillation, or the same student without a teacher.</summary>
/// <remarks>
/// The defaults are the paper's and its authors' code's (arXiv:1909.10351v5, section 4.2): general stage 3 epochs, 5e-5, linear with 10 % warm-up, 256 sequences of
/// at most 128 tokens an update (here 8 batches of 32); intermediate stage 20 epochs, 10 for MNLI, QQP and QNLI, 50 for CoLA, constant rate 5e-5;
/// prediction stage 3 epochs, 3e-5, linear with 10 % warm-up; batch 32; length 64 for single texts, 128 for pairs; the authors' BertAdam.
/// </remarks>
public sealed record CompressSettings : TaskSettings
{
    /// <summary>The methods' names; those that are built are in <see cref="BuiltMethods"/>.</summary>
    public static IReadOnlyList<string> Methods { get; } =
        ["tinybert", "theseus", "refbert", "sentence-approximation", "etd", "truncation", "kd", "pkd", "distilbert", "minilm", "static"];

    /// <summary>The methods that can be run.</summary>
    public static IReadOnlyList<string> BuiltMethods { get; } = ["tinybert"];

    /// <summary>The method.</summary>
    [Setting("The method of compression.")]
    public string Method { get; init; } = "tinybert";

    /// <summary>Which part of the method.</summary>
    [Setting("Which part of the method: task (a fine-tuned teacher's task, from labelled texts) or general (a pretrained teacher, from raw text; its student is where task starts). Several in one run: all (task, before it general where --train-corpus and --general-teacher-model are given, and augment, the data augmentation, where --mlm-model is), or a list, which refuses to leave any out.", Choices = "general|task|all|general,task|augment,task|general,augment,task")]
    public string Stage { get; init; } = "task";

    /// <summary>The general stage's text.</summary>
    [Setting("General stage: raw text to learn from, UTF-8 or .gz, a sentence or paragraph a line, blank lines between documents. A file, a folder of .txt and .txt.gz files, or several with commas between.")]
    public string? TrainCorpus { get; init; }

    /// <summary>What a sequence of the general stage is made of.</summary>
    [Setting("General stage: what a sequence is made of. pairs: sentences of a document packed up to the length and parted in two, the second one from another document half of the time, as the authors do. single: packed, not parted. lines: each line by itself.", Choices = "pairs|single|lines")]
    public string Segments { get; init; } = "pairs";

    /// <summary>How many documents have shorter sequences.</summary>
    [Setting("General stage: the share of documents whose sequences aim at a random shorter length.")]
    public double ShortSeqProb { get; init; } = 0.1;

    /// <summary>Stop the general stage after this many tokens.</summary>
    [Setting("General stage: stop after the update in which this many tokens have been read, if that comes first; 0 for no limit.")]
    public long MaxTokens { get; init; }

    /// <summary>The teacher.</summary>
    [Setting("The model to learn from: a Hugging Face directory, fine-tuned with a classifier; for --stage general a pretrained one.", Alias = "teacher")]
    public string? TeacherModel { get; init; }

    /// <summary>The general stage's teacher where other stages follow.</summary>
    [Setting("With --stage all: the model that the general stage learns from, which is the pretrained one that --teacher-model was fine-tuned from.", Alias = "general_teacher")]
    public string? GeneralTeacherModel { get; init; }

    /// <summary>The masked language model of the augmentation.</summary>
    [Setting("With --stage all: the masked language model that augments the labelled texts; limbeck pretrain --freeze-encoder gives a model the head that it needs.")]
    public string? MlmModel { get; init; }

    /// <summary>The student.</summary>
    [Setting("The student: a known name (tinybert4, tinybert6, tinybert3-312, half-384, tinybert2-192), layers/hidden/heads/intermediate, or a model's directory.", Alias = "student")]
    public string? StudentModel { get; init; }

    /// <summary>The student's first weights.</summary>
    [Setting("The student's first weights: random, pca (embeddings and projection from the teacher's principal components), fitted (pca, and layers fitted to the teacher's by least squares), teacher (its first units, by the layer map), or a model's directory. By default random, or those of the directory that --student-model names.")]
    public string? StudentInit { get; init; }

    /// <summary>Keep the size of attention scores when heads are sliced.</summary>
    [Setting("With --student-init teacher: multiply the query by the root of the ratio of head sizes, which keeps the scores' magnitude.")]
    public bool ScaleQuery { get; init; } = true;

    /// <summary>The head's weights before the prediction stage.</summary>
    [Setting("The student's pooler and classifier before the prediction stage: random (as they are first made, or as the student's directory has them), or fitted (to the teacher's by least squares, on some of the training texts). Without effect with --no-teacher, which has no such stage.", Choices = "random|fitted")]
    public string HeadInit { get; init; } = "random";

    /// <summary>Train without the teacher.</summary>
    [Setting("Train the same student, from the same first weights and with as many updates, on the labels alone: what distillation has to beat.")]
    public bool NoTeacher { get; init; }

    /// <summary>Which teacher layer each student layer learns from.</summary>
    [Setting("Which teacher layer each student layer learns from, student:teacher, such as 0:0,1:2,2:4,3:6; by default uniform.")]
    public string? LayerMap { get; init; }

    /// <summary>Drop unused wordpieces.</summary>
    [Setting("Keep only the wordpieces that the training and unlabelled texts use, and all single characters.")]
    public bool TrimVocabulary { get; init; }

    /// <summary>More texts, without labels.</summary>
    [Setting("A file of texts without labels that the student learns from too: one a line, or a table.")]
    public string? Unlabelled { get; init; }

    /// <summary>Learn on augmented rows.</summary>
    [Setting("Let the intermediate stage learn on the rows that limbeck augment made: train_aug.tsv in the task's folder, or reviews_aug.csv beside --train-file reviews.csv. The prediction stage keeps to the original rows.")]
    public bool AugTrain { get; init; }

    /// <summary>The augmented rows.</summary>
    [Setting("The augmented rows, where they lie elsewhere; asks for --aug-train by itself.")]
    public string? AugFile { get; init; }

    /// <summary>What epochs of the intermediate stage count on augmented rows.</summary>
    [Setting("What the intermediate stage's epochs count with --aug-train: passes over the augmented rows, as in the paper, or the tokens of as many passes over the original rows, so that runs with and without augmentation see equally many.", Choices = "passes|tokens")]
    public string AugBudget { get; init; } = "passes";

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: with --aug-train the prediction stage learns on the augmented rows too.")]
    public bool AugPrediction { get; init; }

    /// <summary>The temperature of Eq. 10.</summary>
    [Setting("Temperature of the prediction stage.")]
    public double Temperature { get; init; } = 1;

    /// <summary>Whether attention scores are learned.</summary>
    [Setting("Whether the intermediate stage learns attention scores; none where teacher and student have other numbers of heads.", Choices = "scores|none")]
    public string AttentionLoss { get; init; } = "scores";

    /// <summary>Whether hidden states are learned.</summary>
    [Setting("Whether the intermediate stage learns hidden states; false leaves the embedding block out too.")]
    public bool HiddenLoss { get; init; } = true;

    /// <summary>Whether the embedding block's output is learned.</summary>
    [Setting("Whether the intermediate stage learns the embedding block's output.")]
    public bool EmbeddingLoss { get; init; } = true;

    /// <summary>Whether sentence vectors are learned.</summary>
    [Setting("General stage: also learn the teacher's sentence vectors, through the projection of the last layer, by cosine or mean squared error. For a sentence embedder; pooled as its modules.json says, or the mean over tokens.", Choices = "none|cosine|mse")]
    public string SentenceLoss { get; init; } = "none";

    /// <summary>Weight of the sentence loss.</summary>
    [Setting("General stage: weight of the sentence loss; the paper's losses have weight 1.")]
    public double SentenceWeight { get; init; } = 1;

    /// <summary>How many projections.</summary>
    [Setting("The projection from the student's width to the teacher's: one for all layers, or one a layer.", Choices = "shared|per_layer")]
    public string Projection { get; init; } = "shared";

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: divide the soft cross entropy by the number of classes too.")]
    public bool MeanOverClasses { get; init; }

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: a regression's prediction stage learns the gold scores instead of the teacher's.")]
    public bool GoldRegression { get; init; }

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: leave an epoch's last incomplete batch out.", Alias = "dataloader_drop_last")]
    public bool DropLast { get; init; }

    /// <summary>Parity with the authors' code.</summary>
    [Setting("Parity with the authors' code: run the teacher with dropout; it then cannot be cached.")]
    public bool TeacherDropout { get; init; }

    /// <summary>Where teachers' outputs are kept.</summary>
    [Setting("Where the teacher's outputs are kept; by default $XDG_CACHE_HOME/limbeck or the platform's.")]
    public string? CacheDir { get; init; }

    /// <summary>Above this the teacher runs live.</summary>
    [Setting("Gigabytes above which the teacher's outputs are not kept and it runs live.")]
    public double CacheLimit { get; init; } = 20;

    /// <summary>Whether teachers' outputs are kept.</summary>
    [Setting("Keep the teacher's outputs on disk and read them in later epochs and runs.")]
    public bool TeacherCache { get; init; } = true;

    /// <summary>The stage that learns from raw text.</summary>
    [Setting("")]
    public GeneralSettings General { get; init; } = new()
    {
        NumTrainEpochs = 3,
        LearningRate = 5e-5,
        GradientAccumulationSteps = 8,
        LrSchedulerType = "warmup_linear",
        WarmupRatio = 0.1,
        Optimizer = "bertadam",
        DecayAll = false,
        AdamEpsilon = 1e-6,
    };

    /// <summary>The stage that learns embeddings, hidden states and attention.</summary>
    [Setting("")]
    public StageSettings Intermediate { get; init; } = new()
    {
        LearningRate = 5e-5,
        LrSchedulerType = "constant",
        WarmupRatio = 0,
        Optimizer = "bertadam",
        DecayAll = false,
        AdamEpsilon = 1e-6,
    };

    /// <summary>The stage that learns the teacher's answers.</summary>
    [Setting("")]
    public StageSettings Prediction { get; init; } = new()
    {
        NumTrainEpochs = 3,
        LearningRate = 3e-5,
        LrSchedulerType = "warmup_linear",
        WarmupRatio = 0.1,
        Optimizer = "bertadam",
        DecayAll = false,
        AdamEpsilon = 1e-6,
    };

    /// <summary>How the student trains with <see cref="NoTeacher"/>; its number of updates is that of the two stages.</summary>
    [Setting("")]
    public StageSettings Alone { get; init; } = new() { LearningRate = 1e-4 };

    /// <summary>How the augmentation varies texts.</summary>
    [Setting("")]
    public AugmentationSettings Augment { get; init; } = new();

    /// <summary>The settings of the run of several stages that this one is the last of; null for a run of its own.</summary>
    internal CompressSettings? Whole { get; init; }

    /// <summary>The parts of that run before this one; null for a run of its own.</summary>
    internal IReadOnlyList<ReportPart>? PartsBefore { get; init; }

    private static readonly string[] Inits = ["random", "pca", "fitted", "teacher"];
    private static readonly HashSet<string> OfSeveral = ["general_teacher_model", "mlm_model", "general.max_seq_length"];
    private static readonly HashSet<string> OfGeneral = ["stage", "segments", "short_seq_prob", "max_tokens", "sentence_loss", "sentence_weight"];
    private static readonly HashSet<string> OfTask = ["head_init", "temperature", "mean_over_classes", "gold_regression", "aug_train", "aug_budget", "aug_prediction", "teacher_cache", "cache_limit"];

    /// <summary>Whether augmented rows are asked for.</summary>
    internal bool Augmented => AugTrain || AugFile is not null || RunsAugment;

    /// <summary>Whether the run is of several stages, each a job of its own.</summary>
    internal bool IsSeveral => Stage is not ("general" or "task");

    /// <summary>Whether a run of several stages begins with the general one.</summary>
    internal bool RunsGeneral => Stage.StartsWith("general,", StringComparison.Ordinal) || (Stage == "all" && (TrainCorpus is not null || GeneralTeacherModel is not null));

    /// <summary>Whether a run of several stages augments the labelled texts.</summary>
    internal bool RunsAugment => Stage.Contains("augment", StringComparison.Ordinal) || (Stage == "all" && (MlmModel is not null || Augment.ByVectorsAlone));

    /// <summary>Epochs of the intermediate stage that the paper gives for a task.</summary>
    /// <param name="task">GLUE's name of it, or null.</param>
    public static int PaperEpochs(string? task) => task switch
    {
        "CoLA" => 50,
        "MNLI" or "QQP" or "QNLI" => 10,
        _ => 20,
    };

    /// <inheritdoc/>
    internal override IEnumerable<string?> ModelFolders => [TeacherModel, GeneralTeacherModel, MlmModel, StudentModel, StudentInit is string init && Inits.Contains(init) ? null : StudentInit];

    /// <inheritdoc/>
    public override void Check(List<string> faults, bool complete)
    {
        base.Check(faults, complete);
        if (!Methods.Contains(Method))
        {
            faults.Add($"--method is '{Method}'.{SettingsSchema.Suggest(Method, Methods)} The methods are {string.Join(", ", Methods)}");
        }
        else if (!BuiltMethods.Contains(Method))
        {
            faults.Add($"--method {Method} is not built yet in this version; built: {string.Join(", ", BuiltMethods)}");
        }

        CheckGeneral(faults, complete);
        General.CheckStage("general.", faults);
        Intermediate.CheckStage("intermediate.", faults);
        Prediction.CheckStage("prediction.", faults);
        Alone.CheckStage("alone.", faults);
        Augment.CheckValues("augment.", faults);
        CheckSeveral(faults, complete);
        if (Stage != "general" && Intermediate.NumTrainEpochs == 0 && Prediction.NumTrainEpochs == 0)
        {
            faults.Add("--intermediate-num-train-epochs and --prediction-num-train-epochs are both 0, which leaves nothing to do");
        }

        if (HeadInit == "fitted" && Prediction.NumTrainEpochs == 0)
        {
            faults.Add("--head-init fitted prepares the prediction stage, which --prediction-num-train-epochs 0 leaves out");
        }

        if (!(Temperature > 0))
        {
            faults.Add($"--temperature is {Temperature}; needed more than 0");
        }

        if (!(CacheLimit >= 0))
        {
            faults.Add($"--cache-limit is {CacheLimit}; needed 0 or more gigabytes");
        }

        if (SentenceWeight != 1 && SentenceLoss == "none")
        {
            faults.Add("--sentence-weight is given without --sentence-loss cosine or mse, so no sentence vectors are learned");
        }

        if (!(SentenceWeight >= 0))
        {
            faults.Add($"--sentence-weight is {SentenceWeight}; needed 0 or more");
        }

        if (Augmented && NoTeacher)
        {
            faults.Add("augmented rows with --no-teacher: the labels of augmented rows are not certain, so without a teacher to ask there is nothing to learn from them; leave one of them out");
        }

        if (Augmented && ValidationSplit > 0)
        {
            faults.Add("augmented rows with --validation-split: variants of the rows to score would be trained on. Split the file first, augment the part to train on, and give the other as --validation-file");
        }

        if (AttentionLoss == "none" && !HiddenLoss && (SentenceLoss == "none" || Stage != "general"))
        {
            faults.Add("--attention-loss none with --hidden-loss false leaves the intermediate stage nothing to learn");
        }

        if (StudentInit is not null && !Inits.Contains(StudentInit) && !Directory.Exists(StudentInit))
        {
            faults.Add($"--student-init is '{StudentInit}', which is no model's directory.{SettingsSchema.Suggest(StudentInit, Inits)} The kinds are {string.Join(", ", Inits)}");
        }

        if (StudentModel is not null && !Directory.Exists(StudentModel))
        {
            try
            {
                StudentShape.Parse(StudentModel);
            }
            catch (ArgumentException e)
            {
                faults.Add($"--student-model: {e.Message}");
            }
        }

        if (complete && TeacherModel is null)
        {
            faults.Add("--teacher-model is missing: which model shall be learned from?");
        }

        if (complete && StudentModel is null)
        {
            faults.Add($"--student-model is missing: one of {string.Join(", ", StudentShape.Presets.Keys)}, layers/hidden/heads/intermediate such as 3/312/12/1200, or a model's directory");
        }
    }

    /// <inheritdoc/>
    internal override bool NeedsRows => Stage != "general";

    /// <inheritdoc/>
    /// <remarks>The student of a general stage that ran before is hashed with its weights, wherever it lies. A random head is what runs had before there was a choice.</remarks>
    internal override bool HasEffect(string name) => base.HasEffect(name) && !OfSeveral.Contains(name) && !name.StartsWith("augment.", StringComparison.Ordinal)
        && !(name == "student_model" && Whole is { RunsGeneral: true }) && !(name == "head_init" && HeadInit == "random") && (Stage == "task"
        ? !OfGeneral.Contains(name) && !name.StartsWith("general.", StringComparison.Ordinal)
        : !OfTask.Contains(name) && !name.StartsWith("intermediate.", StringComparison.Ordinal) && !name.StartsWith("prediction.", StringComparison.Ordinal)
            && !name.StartsWith("alone.", StringComparison.Ordinal));

    /// <summary>Checks what a run of several stages needs, and what only it has a use for.</summary>
    private void CheckSeveral(List<string> faults, bool complete)
    {
        if (General.MaxSeqLength < SegmentOptions.LeastLength)
        {
            faults.Add($"--general-max-seq-length is {General.MaxSeqLength}; needed {SegmentOptions.LeastLength} or more");
        }

        if (!RunsAugment && Stage != "all" && Augment != new AugmentationSettings())
        {
            faults.Add("--augment-... flags are given, but this run makes no augmented rows: use --stage all with --mlm-model, or limbeck augment");
        }

        if (!IsSeveral)
        {
            (string Flag, bool Given, string Instead)[] useless =
            [
                ("--general-teacher-model", GeneralTeacherModel is not null, Stage == "general" ? "with --stage general alone the teacher is --teacher-model" : "the task stage learns from --teacher-model"),
                ("--general-max-seq-length", General.MaxSeqLength is not null, "one stage has --max-seq-length"),
                ("--mlm-model", MlmModel is not null, "without it make the rows with limbeck augment, and give --aug-train"),
            ];
            faults.AddRange(useless.Where(setting => setting.Given).Select(setting => $"{setting.Flag} is for --stage all; {setting.Instead}"));
            return;
        }

        if (!RunsGeneral && Stage != "all" && GeneralTeacherModel is not null)
        {
            faults.Add($"--general-teacher-model is given, but --stage {Stage} has no general stage; use --stage all");
        }

        if (!RunsAugment && Stage != "all" && MlmModel is not null)
        {
            faults.Add($"--mlm-model is given, but --stage {Stage} has no augmentation; use --stage all");
        }

        if (RunsGeneral && complete && GeneralTeacherModel is null)
        {
            faults.Add("--general-teacher-model is missing: the general stage learns from the pretrained model, not from the fine-tuned --teacher-model");
        }

        if (RunsGeneral && complete && TrainCorpus is null)
        {
            faults.Add("--train-corpus is missing: which text shall the general stage learn from?");
        }

        if (RunsGeneral && TrimVocabulary)
        {
            faults.Add("--trim-vocabulary with a general stage: its student has the whole vocabulary, since raw text uses all of it; leave one of them out");
        }

        if (RunsAugment && complete && MlmModel is null && !Augment.ByVectorsAlone)
        {
            faults.Add("--mlm-model is missing: which masked language model shall find other words? A checkpoint that lacks the head gets one by: limbeck pretrain --model CHECKPOINT --freeze-encoder --train-file corpus.txt --output-dir CHECKPOINT-mlm. Or let word vectors find all words: --augment-candidates vectors");
        }

        if (RunsAugment && AugFile is not null)
        {
            faults.Add("--aug-file names augmented rows that are there, but this run makes its own; leave --aug-file or --mlm-model out");
        }

        if (ResumeFromCheckpoint is not null && (RunsGeneral || RunsAugment))
        {
            faults.Add("--resume-from-checkpoint is one stage's; a run of several goes on with --resume");
        }
    }

    /// <summary>Checks what only the general stage has, and what it has no use for.</summary>
    private void CheckGeneral(List<string> faults, bool complete)
    {
        if (!(ShortSeqProb is >= 0 and <= 1))
        {
            faults.Add($"--short-seq-prob is {ShortSeqProb}; needed 0 to 1");
        }

        if (MaxTokens < 0)
        {
            faults.Add($"--max-tokens is {MaxTokens}; needed 0 or more");
        }

        if (Stage != "general")
        {
            if (SentenceLoss != "none" && !RunsGeneral)
            {
                faults.Add("--sentence-loss is for the general stage; a task's student is a classifier");
            }

            if (TrainCorpus is not null && !RunsGeneral)
            {
                faults.Add("--train-corpus is raw text for --stage general or --stage all; the task stage learns from --train-file or --task with --data-dir, and from --unlabelled");
            }

            return;
        }

        if (MaxSeqLength < SegmentOptions.LeastLength)
        {
            faults.Add($"--max-seq-length is {MaxSeqLength}; the general stage needed {SegmentOptions.LeastLength} or more");
        }

        (string Flag, bool Given)[] useless =
        [
            ("--task", Task is not null), ("--data-dir", DataDir is not null), ("--train-file", TrainFile is not null), ("--validation-file", ValidationFile is not null),
            ("--validation-split", ValidationSplit > 0), ("--unlabelled", Unlabelled is not null), ("--aug-train", AugTrain), ("--aug-file", AugFile is not null), ("--no-teacher", NoTeacher), ("--trim-vocabulary", TrimVocabulary),
            ("--load-best-model-at-end", LoadBestModelAtEnd), ("--early-stopping-patience", EarlyStoppingPatience > 0), ("--head", Head is not null),
            ("--head-init", HeadInit != "random"),
        ];
        faults.AddRange(useless.Where(setting => setting.Given).Select(setting => $"{setting.Flag} is for --stage task; the general stage learns from raw text, without labels or scores"));
        if (complete && TrainCorpus is null)
        {
            faults.Add("--train-corpus is missing: which text shall the general stage learn from?");
        }
    }
}
