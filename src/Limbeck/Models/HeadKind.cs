namespace Limbeck.Models;

/// <summary>What stands on an encoder.</summary>
public enum HeadKind
{
    /// <summary>Nothing but the pooler, if the checkpoint has one: Hugging Face's BertModel.</summary>
    None,

    /// <summary>A sequence classifier, or a regression when there is one label: BertForSequenceClassification.</summary>
    Classifier,

    /// <summary>A masked language model: BertForMaskedLM.</summary>
    MaskedLanguageModel,
}
